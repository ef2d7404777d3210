#include "tests/clients/cli/commands/cli_test.h"

namespace holdfast::cli {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

using ChatTest = CliTest;

TEST_F(ChatTest, AnswersLineByLineInOneSession) {
  agent_.Play([](ScriptedTurn& turn) {
    turn.Delta("msg", 0, "Hel");
    turn.Delta("msg", 3, "lo");
    turn.Answer("Hello.");
    turn.Complete();
  });
  CliProcess cli({"chat"}, Plain("hi\n/help\nagain\n"));
  EXPECT_EQ(cli.ExitCode(), 0) << cli.err();
  EXPECT_EQ(cli.out(), "Hello.\nHello.\n");
  EXPECT_THAT(cli.err(), HasSubstr("/status"));
  EXPECT_THAT(cli.err(), HasSubstr("resume with: holdfast chat --session session-1"));
  EXPECT_THAT(agent_.created(), SizeIs(1));
  ASSERT_THAT(agent_.turns(), SizeIs(2));
  EXPECT_NE(agent_.turns()[0].client_key(), agent_.turns()[1].client_key());
}

TEST_F(ChatTest, NewBeginsAnotherSession) {
  agent_.Play([](ScriptedTurn& turn) {
    turn.Answer("ok");
    turn.Complete();
  });
  CliProcess cli({"chat"}, Plain("hi\n/status\n/new\nhi\n/sessions\n/quit\nnever said\n"));
  EXPECT_EQ(cli.ExitCode(), 0) << cli.err();
  EXPECT_THAT(agent_.created(), SizeIs(2));
  EXPECT_THAT(agent_.turns(), SizeIs(2));
  EXPECT_THAT(cli.err(), HasSubstr("model      o4-mini"));
  EXPECT_THAT(cli.err(), HasSubstr("session-1  2023-11-14T22:13:20Z"));
}

TEST_F(ChatTest, ExitsWithTheCodeOfTheLastTurn) {
  agent_.Play([](ScriptedTurn& turn) {
    turn.Answer("ok");
    turn.Complete();
  });
  agent_.Play([](ScriptedTurn& turn) {
    agent::v1::TurnFailed failure;
    failure.set_code(grpc::StatusCode::FAILED_PRECONDITION);
    failure.set_message("too large");
    failure.set_never_fits(true);
    turn.Fail(failure);
  });
  CliProcess failed({"chat"}, Plain("hi\nagain\n"));
  EXPECT_EQ(failed.ExitCode(), 76) << failed.err();
  EXPECT_THAT(failed.err(), HasSubstr("resume with"));
  CliProcess quit({"chat"}, Plain("hi\n/quit\n"));
  EXPECT_EQ(quit.ExitCode(), 76) << quit.err();
}

TEST_F(ChatTest, ExitsAsUnreachableWhereTheServiceIsDown) {
  agent_server_.Stop();
  CliProcess cli({"chat"}, Plain("hi\n"));
  EXPECT_EQ(cli.ExitCode(), 69) << cli.err();
}

TEST_F(ChatTest, SaysThatSomebodyLooksOn) {
  agent_.Play([](ScriptedTurn& turn) {
    turn.Answer("seen");
    turn.Complete();
  });
  CliProcess cli({"exec", "hi"}, Terminal());
  EXPECT_EQ(cli.ExitCode(), 0) << cli.out();
  EXPECT_TRUE(agent_.turns()[0].attended());
  EXPECT_FALSE(agent_.turns()[0].has_max_wait());
}

TEST_F(ChatTest, SaysThatTheAnswerStartsAgain) {
  agent_.Play([](ScriptedTurn& turn) {
    turn.Delta("msg", 0, "Bonj");
    turn.Answer("Hello.");
    turn.Complete();
  });
  CliProcess cli({"chat"}, Plain("hi\n"));
  EXPECT_EQ(cli.ExitCode(), 0) << cli.err();
  EXPECT_EQ(cli.out(), "Bonj\nHello.\n");
}

TEST_F(ChatTest, FollowsTheTurnThatRunsAlready) {
  const std::string id = agent_.AddSession(workspace());
  agent_.Play([](ScriptedTurn& turn) {
    turn.CallTool("call-1", "list_files", "{}");
    turn.AwaitToolResult("call-1");
    turn.Answer("taken over");
    turn.Complete();
  });
  agent_.StartForeignTurn(id);
  CliProcess cli({"chat", "--session", id}, Plain(""));
  EXPECT_EQ(cli.ExitCode(), 0) << cli.err();
  EXPECT_EQ(cli.out(), "taken over\n");
}

TEST_F(ChatTest, CtrlCCancelsTheTurnAndAtThePromptLeaves) {
  agent_.Play([](ScriptedTurn& turn) {
    turn.Delta("msg", 0, "thinking aloud");
    turn.AwaitCancel();
  });
  agent_.Play([](ScriptedTurn& turn) {
    turn.Answer("second answer");
    turn.Complete();
  });
  environment_["NO_COLOR"] = "1";
  CliProcess cli({"chat"}, Terminal());
  EXPECT_TRUE(cli.SeesOut("> "));
  cli.Type("grüß dich\n");
  EXPECT_TRUE(cli.SeesOut("thinking aloud"));
  cli.Type("\x03");
  EXPECT_TRUE(cli.SeesOut("interrupted"));
  cli.Type("once more\n");
  EXPECT_TRUE(cli.SeesOut("second answer"));
  EXPECT_TRUE(cli.SeesOut("34 output tokens\r\n> "));
  cli.Type("half a li");
  EXPECT_TRUE(cli.SeesOut("half a li"));
  cli.Type("\x03");
  EXPECT_EQ(cli.ExitCode(), 0);
  EXPECT_THAT(cli.out(), HasSubstr("resume with: holdfast chat --session session-1"));
  EXPECT_EQ(agent_.cancels(), 1);
  ASSERT_THAT(agent_.turns(), SizeIs(2));
  EXPECT_EQ(agent_.turns()[0].input(0).text(), "grüß dich");
  EXPECT_EQ(agent_.turns()[1].session_id(), "session-1");
}

// A pane that was folded away, or a console that tells no size.
TEST_F(ChatTest, TalksOnTerminalsOfEverySize) {
  agent_.Play([](ScriptedTurn& turn) {
    quota::v1::Wait wait;
    wait.set_reason(quota::v1::WAIT_REASON_BACKOFF);
    wait.set_detail("当前模型访问量过大，请稍后再试");
    wait.set_seconds(1000);
    turn.Wait(wait);
    turn.CallTool("call-1", "list_files", "{}");
    turn.AwaitToolResult("call-1");
    turn.Answer("The answer is longer than the terminal is wide, 漢字 too.");
    turn.Complete();
  });
  const std::pair<int, int> sizes[] = {{1, 1}, {1, 20}, {24, 1}, {2, 2}, {24, 20}, {0, 0}, {500, 1000}};
  for (const auto& [rows, columns] : sizes) {
    SCOPED_TRACE(std::to_string(rows) + "x" + std::to_string(columns));
    CliProcess::Options options = Terminal();
    options.rows = rows;
    options.columns = columns;
    CliProcess cli({"chat"}, options);
    EXPECT_TRUE(cli.SeesOut(">"));
    cli.Type("hello, this is a line of more than twenty columns\r");
    EXPECT_TRUE(cli.SeesOut("The answer is longer than the terminal is wide, 漢字 too."));
    cli.Type("/quit\r");
    EXPECT_EQ(cli.ExitCode(), 0) << cli.out();
  }
}

}  // namespace
}  // namespace holdfast::cli
