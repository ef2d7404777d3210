#include <sys/stat.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <csignal>
#include <fstream>
#include <sstream>

#include "clients/cli/tools/journal.h"
#include "clients/cli/tools/run_file.h"
#include "common/rpc/status.h"
#include "tests/clients/cli/commands/cli_test.h"

namespace holdfast::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

using ExecTest = CliTest;

quota::v1::Wait RateLimit(double seconds) {
  quota::v1::Wait wait;
  wait.set_reason(quota::v1::WAIT_REASON_RATE_LIMIT);
  wait.set_dimension("tokens");
  wait.set_limit(200000);
  wait.set_window_seconds(60);
  wait.set_used(160193);
  wait.set_requested(51963);
  wait.set_seconds(seconds);
  wait.set_position(1);
  return wait;
}

void AnswerAndComplete(ScriptedTurn& turn) {
  turn.Answer("The answer.");
  turn.Complete();
}

std::vector<boost::json::object> Lines(const std::string& text) {
  std::vector<boost::json::object> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(boost::json::parse(line).as_object());
  return lines;
}

std::vector<std::string> Types(const std::string& text) {
  std::vector<std::string> types;
  for (const auto& line : Lines(text)) types.emplace_back(line.at("type").as_string());
  return types;
}

TEST_F(ExecTest, PrintsTheAnswerAloneOnStandardOutput) {
  agent_.Play([](ScriptedTurn& turn) {
    turn.Delta("m", 0, "The ans");
    AnswerAndComplete(turn);
  });
  environment_["HOLDFAST_TOKEN"] = "secret";
  environment_["HOLDFAST_MODEL"] = "o4-mini";
  CliProcess cli({"exec", "what is it?"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 0) << cli.err();
  EXPECT_EQ(cli.out(), "The answer.\n");
  EXPECT_THAT(cli.err(), HasSubstr("session session-1"));
  EXPECT_THAT(agent_.tokens(), ElementsAre("secret"));
  ASSERT_THAT(agent_.created(), SizeIs(1));
  EXPECT_EQ(agent_.created()[0].workspace(), workspace());
  EXPECT_EQ(agent_.created()[0].model(), "o4-mini");
  ASSERT_THAT(agent_.turns(), SizeIs(1));
  const auto turn = agent_.turns()[0];
  EXPECT_EQ(turn.input(0).text(), "what is it?");
  EXPECT_FALSE(turn.has_max_wait()) << "nobody asked for one: it is the server's to decide";
  EXPECT_FALSE(turn.attended());
  EXPECT_GT(turn.tools_size(), 3);
}

TEST_F(ExecTest, SendsTheRulesOfTheWorkspace) {
  std::ofstream(workspace() / "AGENTS.md") << "Use tabs.";
  agent_.Play(AnswerAndComplete);
  CliProcess cli({"exec", "p"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 0) << cli.err();
  EXPECT_THAT(agent_.turns()[0].instructions(), HasSubstr("Use tabs."));
  EXPECT_THAT(agent_.turns()[0].instructions(), HasSubstr("working directory: " + workspace().string()));
}

TEST_F(ExecTest, TakesThePromptFromStandardInput) {
  agent_.Play(AnswerAndComplete);
  CliProcess cli({"exec", "-"}, Plain("from a pipe \xff"));
  EXPECT_EQ(cli.ExitCode(), 0) << cli.err();
  EXPECT_EQ(agent_.turns()[0].input(0).text(), "from a pipe \xEF\xBF\xBD");
}

TEST_F(ExecTest, AnEmptyPromptIsAUsageError) {
  CliProcess cli({"exec", "-"}, Plain(" \n"));
  EXPECT_EQ(cli.ExitCode(), 2);
  EXPECT_THAT(agent_.created(), IsEmpty());
}

TEST_F(ExecTest, WritesTheAnswerToAFileToo) {
  std::ofstream(workspace() / "answer.txt") << "an older and much longer answer";
  agent_.Play(AnswerAndComplete);
  CliProcess cli({"exec", "p", "-o", "answer.txt"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 0) << cli.err();
  EXPECT_EQ(FileText(workspace() / "answer.txt"), "The answer.\n");
}

TEST_F(ExecTest, AFileThatCannotBeWrittenIsFoundBeforeTheTurn) {
  CliProcess cli({"exec", "p", "-o", "no/such/folder"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 2);
  EXPECT_THAT(agent_.created(), IsEmpty());
}

TEST_F(ExecTest, SaysOnceWhyItWaits) {
  agent_.Play([](ScriptedTurn& turn) {
    turn.Wait(RateLimit(3.646));
    turn.Wait(RateLimit(3.60));
    AnswerAndComplete(turn);
  });
  CliProcess cli({"exec", "p"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 0);
  const std::string line =
      "rate limited (TPM 200000: 160193 used, 51963 needed) · resuming in 3.6s · position 1 · context saved\n";
  EXPECT_THAT(cli.err(), HasSubstr(line));
  EXPECT_EQ(cli.err().find(line), cli.err().rfind(line));
  EXPECT_THAT(cli.err(), Not(HasSubstr("\x1b")));
  EXPECT_EQ(cli.out(), "The answer.\n");
}

TEST_F(ExecTest, CountsDownOnOneLineOfATerminal) {
  agent_.Play([](ScriptedTurn& turn) {
    turn.Wait(RateLimit(3.646));
    turn.AwaitCancel();
  });
  CliProcess cli({"exec", "p"}, Terminal());
  EXPECT_TRUE(cli.SeesOut("resuming in 3.6s"));
  EXPECT_TRUE(cli.SeesOut("resuming in 3.3s"));
  EXPECT_TRUE(cli.SeesOut("\r\x1b[K"));
  cli.Type("\x03");
  EXPECT_EQ(cli.ExitCode(), 130);
  EXPECT_THAT(cli.out(), HasSubstr("resume with: holdfast exec --session session-1"));
}

TEST_F(ExecTest, NoColorIsHonoured) {
  environment_["NO_COLOR"] = "1";
  agent_.Play(AnswerAndComplete);
  CliProcess cli({"exec", "p"}, Terminal());
  EXPECT_EQ(cli.ExitCode(), 0);
  EXPECT_THAT(cli.out(), HasSubstr("The answer.\r\n"));
  EXPECT_THAT(cli.out(), Not(HasSubstr("\x1b[2m")));
}

TEST_F(ExecTest, JsonLinesTellTheWholeTurn) {
  agent_.Play([](ScriptedTurn& turn) {
    turn.Wait(RateLimit(3.5));
    turn.CallTool("call-1", "list_files", "{}");
    turn.AwaitToolResult("call-1");
    turn.Delta("msg", 0, "The");
    AnswerAndComplete(turn);
  });
  CliProcess cli({"exec", "p", "--json"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 0) << cli.err();
  EXPECT_THAT(Types(cli.out()), ElementsAre("thread.started", "turn.started", "wait", "item.completed", "item.started",
                                            "item.completed", "item.started", "item.completed", "turn.completed"));
  const auto lines = Lines(cli.out());
  EXPECT_EQ(lines[0].at("thread_id").as_string(), "session-1");
  EXPECT_EQ(lines[2].at("reason").as_string(), "rate_limit");
  EXPECT_EQ(lines[2].at("seconds").as_double(), 3.5);
  EXPECT_EQ(lines[3].at("item").at("type").as_string(), "tool_call");
  EXPECT_EQ(lines[4].at("item").at("type").as_string(), "tool_result");
  EXPECT_EQ(lines[7].at("item").at("text").as_string(), "The answer.");
  EXPECT_EQ(lines[8].at("usage").at("input_tokens").as_int64(), 1200);
}

TEST_F(ExecTest, AJsonFailureNamesCodeAndSeconds) {
  agent_.Play([](ScriptedTurn& turn) {
    agent::v1::TurnFailed failure;
    failure.set_code(grpc::StatusCode::RESOURCE_EXHAUSTED);
    failure.set_message("it would wait 42 s");
    failure.set_retry_after_seconds(42.5);
    turn.Fail(failure);
  });
  CliProcess cli({"exec", "p", "--json", "--max-wait", "0"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 75);
  const auto last = Lines(cli.out()).back();
  EXPECT_EQ(last.at("type").as_string(), "turn.failed");
  EXPECT_EQ(last.at("error").at("code").as_string(), "RESOURCE_EXHAUSTED");
  EXPECT_EQ(last.at("retry_after_seconds").as_double(), 42.5);
  EXPECT_TRUE(agent_.turns()[0].has_max_wait());
  EXPECT_EQ(agent_.turns()[0].max_wait().seconds(), 0);
}

TEST_F(ExecTest, AWaitThatIsTooLongSaysTheSeconds) {
  agent_.Play([](ScriptedTurn& turn) {
    agent::v1::TurnFailed failure;
    failure.set_code(grpc::StatusCode::RESOURCE_EXHAUSTED);
    failure.set_message("too long");
    failure.set_retry_after_seconds(42.5);
    turn.Fail(failure);
  });
  CliProcess cli({"exec", "p"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 75);
  EXPECT_EQ(cli.out(), "");
  EXPECT_THAT(cli.err(), HasSubstr("42.500 seconds"));
}

TEST_F(ExecTest, WhatCanNeverFitIs76) {
  agent_.Play([](ScriptedTurn& turn) {
    agent::v1::TurnFailed failure;
    failure.set_code(grpc::StatusCode::FAILED_PRECONDITION);
    failure.set_message("300000 tokens; the largest that fits is 200000");
    failure.set_never_fits(true);
    turn.Fail(failure);
  });
  CliProcess cli({"exec", "p"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 76);
  EXPECT_THAT(cli.err(), HasSubstr("the largest that fits is 200000"));
}

TEST_F(ExecTest, ATokenThatIsNotKnownIs77) {
  agent_.FailNext("CreateSession", {grpc::StatusCode::UNAUTHENTICATED, "who are you?"}, 100);
  CliProcess cli({"exec", "p"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 77);
  EXPECT_THAT(cli.err(), HasSubstr("who are you?"));
}

TEST_F(ExecTest, AServiceThatStaysAwayIs69AfterAWhile) {
  agent_server_.Stop();
  const auto begin = std::chrono::steady_clock::now();
  CliProcess cli({"exec", "p"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 69);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(4900));
  EXPECT_THAT(cli.err(), HasSubstr("agent_service unreachable · reconnecting\n"));
}

// As agent_service says it while its store takes nothing.
grpc::Status CannotWrite() {
  ErrorDetails details;
  details.retry_delay = std::chrono::seconds(1);
  return ToGrpc(absl::UnavailableError("the session's log cannot be written: no space left for /x/sessions.db"),
                details);
}

TEST_F(ExecTest, SaysWhyTheServiceCannotGoOnAndGoesOnWithIt) {
  agent_.FailNext("Watch", CannotWrite(), 1'000'000);
  agent_.Play(AnswerAndComplete);
  CliProcess cli({"exec", "p"}, Plain());
  EXPECT_TRUE(
      cli.SeesErr("agent_service cannot go on · trying again · session saved: the session's log cannot be written: no "
                  "space left for /x/sessions.db\n"));
  agent_.FailNext("Watch", grpc::Status::OK, 0);
  EXPECT_EQ(cli.ExitCode(), 0) << cli.err();
  EXPECT_EQ(cli.out(), "The answer.\n");
  EXPECT_THAT(cli.err(), HasSubstr("agent_service is back"));
  EXPECT_THAT(cli.err(), Not(HasSubstr("unreachable")));
}

TEST_F(ExecTest, AServiceThatCannotGoOnForLongIs69WithItsReason) {
  agent_.FailNext("SubmitTurn", CannotWrite(), 1'000'000);
  CliProcess cli({"exec", "p", "--json"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 69);
  EXPECT_THAT(cli.err(), HasSubstr("agent_service cannot go on · trying again · session saved: "));
  EXPECT_THAT(cli.out(), HasSubstr("agent_service cannot go on: the session's log cannot be written: no space left"));
}

TEST_F(ExecTest, AWaitThatEndedDuringABrokenLinkIsNotShownAfterIt) {
  agent_.Play([](ScriptedTurn& turn) {
    turn.agent().AwaitWatches(1);
    turn.Wait(RateLimit(1000));
    turn.AwaitCancel();
  });
  CliProcess cli({"exec", "p"}, Terminal());
  EXPECT_TRUE(cli.SeesOut("rate limited"));
  agent_.BreakWatches();
  const auto shows_work = [&] {
    const std::string out = cli.out();
    const size_t working = out.rfind("working · ");
    return working != std::string::npos && working > out.rfind("rate limited");
  };
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!shows_work() && std::chrono::steady_clock::now() < give_up)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_TRUE(shows_work()) << cli.out();
  cli.Signal(SIGINT);
  EXPECT_EQ(cli.ExitCode(), 130);
}

TEST_F(ExecTest, CommandsAreSentAgainWithTheirKeys) {
  agent_.FailNext("CreateSession", {grpc::StatusCode::UNAVAILABLE, "lost"}, 2);
  agent_.FailNext("SubmitTurn", {grpc::StatusCode::UNAVAILABLE, "lost reply"}, 1, true);
  agent_.Play(AnswerAndComplete);
  CliProcess cli({"exec", "p"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 0) << cli.err();
  EXPECT_EQ(cli.out(), "The answer.\n");
  ASSERT_THAT(agent_.created(), SizeIs(3));
  EXPECT_EQ(agent_.created()[0].client_key(), agent_.created()[2].client_key());
  ASSERT_THAT(agent_.turns(), SizeIs(2));
  EXPECT_EQ(agent_.turns()[0].client_key(), agent_.turns()[1].client_key());
  EXPECT_THAT(cli.err(), Not(HasSubstr("unreachable")));
}

TEST_F(ExecTest, AToolRunsOnceAcrossBrokenLinks) {
  agent_.FailNext("SubmitToolResult", {grpc::StatusCode::UNAVAILABLE, "lost reply"}, 2, true);
  agent_.Play([](ScriptedTurn& turn) {
    turn.CallTool("call-1", "shell", R"({"command":"echo ran >> ran.txt; cat ran.txt"})");
    turn.agent().AwaitWatches(1);
    turn.agent().BreakWatches();
    EXPECT_THAT(turn.AwaitToolResult("call-1"), HasSubstr("ran"));
    turn.agent().BreakWatches();
    turn.agent().AwaitWatches(2);
    AnswerAndComplete(turn);
  });
  CliProcess cli({"exec", "p", "--approve", "full"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 0) << cli.err();
  EXPECT_EQ(cli.out(), "The answer.\n");
  EXPECT_EQ(FileText(workspace() / "ran.txt"), "ran\n");
  EXPECT_GE(agent_.tool_results().size(), 2u);
}

TEST_F(ExecTest, ContinuesFromItsCursorAfterARestart) {
  agent_.Play([](ScriptedTurn& turn) {
    turn.CallTool("call-1", "list_files", "{}");
    turn.AwaitToolResult("call-1");
    turn.AwaitCancel();
  });
  CliProcess cli({"exec", "p", "--json"}, Plain());
  EXPECT_TRUE(cli.SeesOut("\"output\""));
  agent_server_.Stop();
  EXPECT_TRUE(cli.SeesErr("agent_service unreachable · reconnecting · session saved"));
  agent_server_.Start();
  EXPECT_TRUE(cli.SeesErr("agent_service is back"));
  cli.Signal(SIGINT);
  EXPECT_EQ(cli.ExitCode(), 130);
  // 1 the session, 2 the turn, 3 the call, 4 its result
  EXPECT_EQ(agent_.watches().front().after_sequence(), 1);
  EXPECT_EQ(agent_.watches().back().after_sequence(), 4);
}

TEST_F(ExecTest, ALogThatWasPutBackIsFollowedAsItIs) {
  agent_.Play([](ScriptedTurn& turn) {
    turn.CallTool("call-1", "shell", R"({"command":"echo ran >> ran.txt"})");
    turn.AwaitToolResult("call-1");
    // 1 the session, 2 the turn; the client has seen 3, the call.
    turn.agent().PutBack(turn.session_id(), 2);
    turn.agent().AwaitWatches(3);
    AnswerAndComplete(turn);
  });
  CliProcess cli({"exec", "p", "--approve", "full"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 0) << cli.err();
  EXPECT_EQ(cli.out(), "The answer.\n");
  EXPECT_THAT(cli.err(), HasSubstr("the session's log ends at event 2 and not at "));
  EXPECT_EQ(FileText(workspace() / "ran.txt"), "ran\n");
  EXPECT_EQ(agent_.watches().back().after_sequence(), 0);
}

TEST_F(ExecTest, ATurnThatThePutBackLogHasNothingOfIsLost) {
  agent_.Play([](ScriptedTurn& turn) {
    turn.CallTool("call-1", "list_files", "{}");
    turn.AwaitToolResult("call-1");
    turn.agent().PutBack(turn.session_id(), 1);
  });
  CliProcess cli({"exec", "p"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 1);
  EXPECT_EQ(cli.out(), "");
  EXPECT_THAT(cli.err(), HasSubstr("the session's log has nothing of this turn any more"));
}

TEST_F(ExecTest, ATurnWhoseEventsWereLostWithADamagedDatabaseEnds) {
  agent_.Play([](ScriptedTurn& turn) {
    turn.CallTool("call-1", "list_files", "{}");
    turn.AwaitToolResult("call-1");
    turn.Answer("not the last word");
  });
  CliProcess cli({"exec", "p", "--json"}, Plain());
  EXPECT_TRUE(cli.SeesOut("not the last word"));
  // 1 the session, 2 the turn, 3 the call, 4 its result, 5 what was said.
  agent_.Salvage("session-1", 3);
  EXPECT_EQ(cli.ExitCode(), 1);
  EXPECT_THAT(cli.out(), AllOf(HasSubstr("turn.failed"), HasSubstr("DATA_LOSS"),
                               HasSubstr("events 4 to 5 were lost with a damaged database")));
}

// The client's cursor is not beyond the salvaged log, so that nothing tells of the loss.
TEST_F(ExecTest, ATurnThatIsGoneFromALogOfTheSameLengthEnds) {
  ASSERT_EQ(mkfifo((workspace() / "there").c_str(), 0600), 0);
  ASSERT_EQ(mkfifo((workspace() / "go").c_str(), 0600), 0);
  agent_.Play(
      [](ScriptedTurn& turn) { turn.CallTool("call-1", "shell", R"({"command":"echo > there; read -r go < go"})"); });
  CliProcess cli({"exec", "p", "--approve", "full"}, Plain());
  std::ifstream(workspace() / "there").get();
  // 1 the session, 2 the turn, 3 the call.
  agent_.Salvage("session-1", 2);
  std::ofstream(workspace() / "go") << "\n";
  EXPECT_EQ(cli.ExitCode(), 1);
  EXPECT_THAT(cli.err(), HasSubstr("the session does not run this turn any more"));
  EXPECT_EQ(agent_.cancels(), 0);
}

TEST_F(ExecTest, AnOutageInMidTurnIsBoundedAndSaysHowToResume) {
  agent_.Play([](ScriptedTurn& turn) { turn.AwaitCancel(); });
  CliProcess cli({"exec", "p", "--max-wait", "0"}, Plain());
  agent_.AwaitWatches(1);
  agent_server_.Stop();
  EXPECT_EQ(cli.ExitCode(), 69);
  EXPECT_THAT(cli.err(), HasSubstr("resume with: holdfast chat --session session-1"));
  EXPECT_EQ(agent_.cancels(), 0);
}

TEST_F(ExecTest, AWatcherThatWasCutOffContinues) {
  agent_.FailNext("Watch", {grpc::StatusCode::RESOURCE_EXHAUSTED, "too slow"}, 2);
  agent_.Play(AnswerAndComplete);
  CliProcess cli({"exec", "p"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 0) << cli.err();
  EXPECT_EQ(cli.out(), "The answer.\n");
}

TEST_F(ExecTest, AnInterruptCancelsTheTurnAndSaysHowToResume) {
  agent_.Play([](ScriptedTurn& turn) { turn.AwaitCancel(); });
  CliProcess cli({"exec", "p"}, Plain());
  agent_.AwaitWatches(1);
  cli.Signal(SIGTERM);
  EXPECT_EQ(cli.ExitCode(), 130);
  EXPECT_EQ(agent_.cancels(), 1);
  EXPECT_EQ(cli.out(), "");
  EXPECT_THAT(cli.err(), HasSubstr("resume with: holdfast exec --session session-1"));
}

TEST_F(ExecTest, AnInterruptBeforeTheTurnIsAcceptedLeavesTheTurnOfAnotherHostAlone) {
  const std::string id = agent_.AddSession(workspace());
  agent_.StartForeignTurn(id);
  agent_.FailNext("SubmitTurn", {grpc::StatusCode::UNAVAILABLE, "away"}, 1000);
  CliProcess cli({"exec", "p", "--session", id}, Plain());
  EXPECT_TRUE(cli.SeesErr("agent_service unreachable"));
  cli.Signal(SIGINT);
  EXPECT_EQ(cli.ExitCode(), 130);
  EXPECT_EQ(agent_.cancels(), 1);
  EXPECT_TRUE(agent_.TurnRuns(id));
}

TEST_F(ExecTest, AnInterruptBeforeTheAnswerToSubmitTurnCancelsTheTurnThatItStarted) {
  agent_.FailNext("SubmitTurn", {grpc::StatusCode::UNAVAILABLE, "the reply is lost"}, 1000, /*after_effect=*/true);
  agent_.Play([](ScriptedTurn& turn) { turn.AwaitCancel(); });
  CliProcess cli({"exec", "p"}, Plain());
  EXPECT_TRUE(cli.SeesErr("agent_service unreachable"));
  cli.Signal(SIGINT);
  EXPECT_EQ(cli.ExitCode(), 130);
  EXPECT_FALSE(agent_.TurnRuns("session-1"));
}

TEST_F(ExecTest, AnInterruptEndsARunningTool) {
  agent_.Play([](ScriptedTurn& turn) {
    turn.CallTool("call-1", "shell", R"({"command":"touch started; sleep 600"})");
    turn.AwaitCancel();
  });
  CliProcess cli({"exec", "p", "--approve", "full"}, Plain());
  EXPECT_TRUE(cli.SeesErr("shell: touch started"));
  cli.Signal(SIGINT);
  EXPECT_EQ(cli.ExitCode(), 130);
  EXPECT_EQ(agent_.cancels(), 1);
  EXPECT_THAT(agent_.tool_results(), IsEmpty());
}

TEST_F(ExecTest, AnInterruptSaysThatACommandOfAnotherContainerGoesOn) {
  const std::string session = agent_.AddSession(workspace());
  quota::v1::ToolCall call;
  call.set_call_id("call-1");
  call.set_name("shell");
  call.set_arguments(R"({"command":"sleep 600"})");
  // As a client there has left it, with its runner, whose part the lock of this test plays.
  auto journal = Journal::Open(home_ / ".local/state/holdfast/journal", session);
  ASSERT_TRUE(journal.ok()) << journal.status();
  const std::string path = (*journal)->RunPath("run");
  const auto runner = RunFile::Create(path, {.command = "sleep 600", .timeout = std::chrono::minutes(2)});
  ASSERT_TRUE(runner.ok()) << runner.status();
  std::ofstream(path, std::ios::app)
      << R"({"begun":true,"runner":99999999,"command":99999999,"identity":"there 1","space":"there pid:[1]"})"
      << "\n";
  ASSERT_EQ((*journal)->RecordStartedRun(call, "run"), absl::OkStatus());
  journal->reset();
  agent_.Play([&](ScriptedTurn& turn) {
    turn.CallTool(call.call_id(), call.name(), call.arguments());
    turn.AwaitCancel();
  });
  CliProcess cli({"exec", "p", "--session", session, "--approve", "full"}, Plain());
  EXPECT_TRUE(cli.SeesErr("still runs; waiting for its end"));
  cli.Signal(SIGINT);
  EXPECT_EQ(cli.ExitCode(), 130);
  EXPECT_THAT(cli.err(), HasSubstr("goes on: end it there, or wait for it"));
}

TEST_F(ExecTest, LeavesQuietlyWhenNobodyReads) {
  agent_.Play([](ScriptedTurn& turn) { turn.AwaitCancel(); });
  CliProcess::Options options = Plain();
  options.close_output = true;
  CliProcess cli({"exec", "p", "--json"}, options);
  EXPECT_EQ(cli.ExitCode(), 1);
  EXPECT_EQ(agent_.cancels(), 0);
  EXPECT_EQ(cli.err(), "");
}

TEST_F(ExecTest, LastMeansTheNewestSessionOfThisWorkspace) {
  agent_.AddSession(workspace(), "older");
  const std::string wanted = agent_.AddSession(workspace(), "newer");
  agent_.AddSession("/elsewhere", "newest");
  agent_.Play(AnswerAndComplete);
  CliProcess cli({"exec", "p", "--last"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 0) << cli.err();
  EXPECT_EQ(agent_.turns()[0].session_id(), wanted);
  EXPECT_THAT(agent_.created(), IsEmpty());
}

TEST_F(ExecTest, LastWithoutASessionSaysSo) {
  CliProcess cli({"exec", "p", "--last"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 1);
  EXPECT_THAT(cli.err(), HasSubstr("leave out --last"));
}

TEST_F(ExecTest, ABusySessionIsNamedWithTheRemedy) {
  const std::string id = agent_.AddSession(workspace());
  agent_.StartForeignTurn(id);
  CliProcess cli({"exec", "p", "--session", id}, Plain());
  EXPECT_EQ(cli.ExitCode(), 1);
  EXPECT_THAT(cli.err(), HasSubstr("holdfast chat --session " + id));
}

TEST_F(ExecTest, ASessionThatIsNotThereIsAFailure) {
  CliProcess cli({"exec", "p", "--session", "nope"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 1);
  EXPECT_THAT(cli.err(), HasSubstr("nope"));
}

TEST_F(ExecTest, HostileTextSteersNoTerminalButStaysVerbatimInAPipe) {
  const std::string hostile = "\x1b]0;title\x07innocent\x1b[2J";
  agent_.Play([&](ScriptedTurn& turn) {
    turn.CallTool("call-1", "shell", "{\"command\":\"\x1b[31mtrue\"}");
    turn.AwaitToolResult("call-1");
    turn.Answer(hostile);
    turn.Complete();
  });
  CliProcess piped({"exec", "p"}, Plain());
  EXPECT_EQ(piped.ExitCode(), 0);
  EXPECT_EQ(piped.out(), hostile + "\n");
  EXPECT_THAT(piped.err(), Not(HasSubstr("\x1b")));

  CliProcess shown({"exec", "p", "--approve", "read-only"}, Terminal());
  EXPECT_EQ(shown.ExitCode(), 0);
  EXPECT_THAT(shown.out(), HasSubstr("innocent"));
  EXPECT_THAT(shown.out(), Not(HasSubstr("title")));
  EXPECT_THAT(shown.out(), Not(HasSubstr("\x1b[2J")));
  EXPECT_THAT(shown.out(), Not(HasSubstr("\x1b[31m")));
}

TEST_F(ExecTest, AsksOnTheTerminalBeforeACommandRuns) {
  agent_.Play([](ScriptedTurn& turn) {
    turn.CallTool("call-1", "shell", R"({"command":"touch allowed"})");
    turn.AwaitToolResult("call-1");
    turn.CallTool("call-2", "shell", R"({"command":"touch refused"})");
    EXPECT_THAT(turn.AwaitToolResult("call-2"), HasSubstr("not today"));
    AnswerAndComplete(turn);
  });
  CliProcess cli({"exec", "p"}, Terminal());
  EXPECT_TRUE(cli.SeesOut("  touch allowed"));
  cli.Type("y\n");
  EXPECT_TRUE(cli.SeesOut("  touch refused"));
  cli.Type("n not today\n");
  EXPECT_EQ(cli.ExitCode(), 0);
  EXPECT_TRUE(std::filesystem::exists(workspace() / "allowed"));
  EXPECT_FALSE(std::filesystem::exists(workspace() / "refused"));
}

TEST_F(ExecTest, WithoutATerminalNobodyIsAskedAndNothingRuns) {
  agent_.Play([](ScriptedTurn& turn) {
    turn.CallTool("call-1", "shell", R"({"command":"touch ran"})");
    turn.AwaitToolResult("call-1");
    AnswerAndComplete(turn);
  });
  CliProcess cli({"exec", "p"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 0) << cli.err();
  EXPECT_TRUE(agent_.tool_results()[0].is_error());
  EXPECT_FALSE(std::filesystem::exists(workspace() / "ran"));
}

TEST_F(ExecTest, CommandsDoNotSeeTheToken) {
  environment_["HOLDFAST_TOKEN"] = "secret";
  agent_.Play([](ScriptedTurn& turn) {
    turn.CallTool("call-1", "shell", R"({"command":"echo token=$HOLDFAST_TOKEN."})");
    EXPECT_THAT(turn.AwaitToolResult("call-1"), HasSubstr("token=."));
    AnswerAndComplete(turn);
  });
  CliProcess cli({"exec", "p", "--approve", "full"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 0) << cli.err();
}

}  // namespace
}  // namespace holdfast::cli
