#include <algorithm>
#include <boost/json/parse.hpp>
#include <csignal>
#include <sstream>

#include "tests/clients/cli/commands/cli_test.h"

namespace holdfast::cli {
namespace {

using quota::v1::GetHeadroomResponse;
using testing::HasSubstr;

using SessionsTest = CliTest;
using QuotaTest = CliTest;

TEST_F(SessionsTest, ListShowsEveryPage) {
  agent_.AddSession("/a", "first");
  agent_.AddSession("/b", "sec\x1b[31mond\nline");
  CliProcess cli({"sessions", "list"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 0) << cli.err();
  EXPECT_EQ(cli.out(),
            "session-2  2023-11-14T22:13:20Z  idle   o4-mini  second line\n"
            "session-1  2023-11-14T22:13:20Z  idle   o4-mini  first\n");
}

TEST_F(SessionsTest, ListAsJsonIsALineForEach) {
  agent_.AddSession("/a", "first");
  CliProcess cli({"sessions", "list", "--json"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 0);
  const auto session = boost::json::parse(cli.out()).as_object();
  EXPECT_EQ(session.at("session_id").as_string(), "session-1");
  EXPECT_EQ(session.at("workspace").as_string(), "/a");
}

TEST_F(SessionsTest, ShowTellsWhatHappenedPageByPage) {
  agent_.Play([](ScriptedTurn& turn) {
    turn.CallTool("call-1", "list_files", R"({"path":"."})");
    turn.AwaitToolResult("call-1");
    turn.Answer("all is well");
    turn.Complete();
  });
  CliProcess exec({"exec", "look"}, Plain());
  ASSERT_EQ(exec.ExitCode(), 0) << exec.err();
  CliProcess text({"sessions", "show", "session-1"}, Plain());
  EXPECT_EQ(text.ExitCode(), 0);
  EXPECT_THAT(text.out(), HasSubstr("     2  you: look\n     3  tool list_files: .\n"));
  EXPECT_THAT(text.out(), HasSubstr("     5  agent: all is well\n"));

  CliProcess json({"sessions", "show", "session-1", "--json"}, Plain());
  EXPECT_EQ(json.ExitCode(), 0);
  std::istringstream lines(json.out());
  std::vector<boost::json::object> objects;
  for (std::string line; std::getline(lines, line);) objects.push_back(boost::json::parse(line).as_object());
  ASSERT_EQ(objects.size(), 7u);
  EXPECT_EQ(objects[0].at("type").as_string(), "session");
  EXPECT_EQ(objects[6].at("event").at("turn_completed").at("usage").at("input_tokens").as_string(), "1200");
}

TEST_F(SessionsTest, TheFirstCharactersOfAnIdWillDo) {
  agent_.AddSession("/a", "first");
  CliProcess show({"sessions", "show", "sess"}, Plain());
  EXPECT_EQ(show.ExitCode(), 0) << show.err();
  EXPECT_THAT(show.out(), HasSubstr("session    session-1\n"));
}

TEST_F(SessionsTest, WhatCannotBeTakenBackNeedsTheWholeId) {
  agent_.Play([](ScriptedTurn& turn) { turn.AwaitCancel(); });
  agent_.StartForeignTurn(agent_.AddSession("/a", "first"));
  const std::vector<std::vector<std::string>> commands = {
      {"sessions", "delete", "session-"},
      {"sessions", "cancel", "session-"},
      {"sessions", "restore", "session-", "--at", "1"},
  };
  for (const auto& command : commands) {
    CliProcess cli(command, Plain());
    EXPECT_EQ(cli.ExitCode(), 1) << command[1];
    EXPECT_EQ(cli.err(), "this needs the whole id, and session- is the beginning of one: session-1\n") << command[1];
  }
  EXPECT_TRUE(agent_.TurnRuns("session-1"));
  CliProcess cancel({"sessions", "cancel", "session-1"}, Plain());
  EXPECT_EQ(cancel.ExitCode(), 0) << cancel.err();
  CliProcess remove({"sessions", "delete", "session-1", "--json"}, Plain());
  EXPECT_EQ(remove.ExitCode(), 0) << remove.err();
  EXPECT_EQ(boost::json::parse(remove.out()).at("session_id").as_string(), "session-1");
}

TEST_F(SessionsTest, ABeginningOfSeveralIdsNamesThemAndChangesNothing) {
  for (int i = 1; i <= 7; ++i) agent_.AddSession("/a", "title " + std::to_string(i));
  CliProcess cli({"sessions", "delete", "sess"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 1);
  EXPECT_THAT(cli.err(), HasSubstr("sess begins the ids of 7 sessions; give more of it:\n  session-7"));
  EXPECT_THAT(cli.err(), HasSubstr("title 3\n  and 2 more"));
  CliProcess list({"sessions", "list"}, Plain());
  EXPECT_EQ(list.ExitCode(), 0);
  const std::string listed = list.out();
  EXPECT_EQ(std::count(listed.begin(), listed.end(), '\n'), 7);
}

TEST_F(SessionsTest, AWholeIdCountsMoreThanALongerOneThatItBegins) {
  for (int i = 1; i <= 10; ++i) agent_.AddSession("/a");
  CliProcess cli({"sessions", "show", "session-1"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 0) << cli.err();
  EXPECT_THAT(cli.out(), HasSubstr("session    session-1\n"));
}

TEST_F(SessionsTest, TooFewCharactersAreNoSession) {
  agent_.AddSession("/a");
  CliProcess few({"sessions", "show", "ses"}, Plain());
  EXPECT_EQ(few.ExitCode(), 1);
  EXPECT_THAT(few.err(), HasSubstr("no session ses; give its id, or at least 4 characters of it"));
  CliProcess none({"sessions", "show", "other"}, Plain());
  EXPECT_EQ(none.ExitCode(), 1);
  EXPECT_THAT(none.err(), HasSubstr("no session other; `holdfast sessions list` shows them"));
}

TEST_F(SessionsTest, CancelEndsTheTurnAndKeepsTheSession) {
  agent_.Play([](ScriptedTurn& turn) { turn.AwaitCancel(); });
  agent_.StartForeignTurn(agent_.AddSession("/a"));
  CliProcess cancel({"sessions", "cancel", "session-1"}, Plain());
  EXPECT_EQ(cancel.ExitCode(), 0) << cancel.err();
  EXPECT_THAT(cancel.err(), HasSubstr("cancelled the turn of session-1"));
  EXPECT_FALSE(agent_.TurnRuns("session-1"));
  CliProcess again({"sessions", "cancel", "session-1", "--json"}, Plain());
  EXPECT_EQ(again.ExitCode(), 0) << again.err();
  const auto object = boost::json::parse(again.out()).as_object();
  EXPECT_EQ(object.at("session_id").as_string(), "session-1");
  EXPECT_FALSE(object.at("cancelled").as_bool());
}

TEST_F(SessionsTest, AnotherServiceAtTheAddressIsNamedWithTheFlagToCorrect) {
  CliProcess cli({"sessions", "list", "--agent", quota_server_.address()}, Plain());
  EXPECT_EQ(cli.ExitCode(), 1);
  EXPECT_EQ(cli.err(), quota_server_.address() +
                           " is the address of another gRPC service than agent_service, or of an older one: correct "
                           "--agent or HOLDFAST_AGENT\n");
}

TEST_F(SessionsTest, DeleteRemovesOne) {
  agent_.AddSession("/a");
  CliProcess first({"sessions", "delete", "session-1"}, Plain());
  EXPECT_EQ(first.ExitCode(), 0);
  CliProcess second({"sessions", "delete", "session-1"}, Plain());
  EXPECT_EQ(second.ExitCode(), 1);
  EXPECT_THAT(second.err(), HasSubstr("no session session-1"));
}

TEST_F(SessionsTest, AnUnreachableServiceIs69AtOnce) {
  agent_server_.Stop();
  CliProcess cli({"sessions", "list"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 69);
  EXPECT_THAT(cli.err(), HasSubstr("agent_service unreachable at " + agent_server_.address()));
  EXPECT_THAT(cli.err(), HasSubstr("start agent_service, or correct --agent or HOLDFAST_AGENT"));
}

TEST_F(QuotaTest, CheckThatFitsIs0AndPrintsNothing) {
  quota_.headroom.set_verdict(GetHeadroomResponse::FITS_NOW);
  quota_.headroom.set_limits_known(true);
  CliProcess cli({"quota", "check", "--model", "m", "--tokens", "51963"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 0);
  EXPECT_EQ(cli.out(), "");
  EXPECT_EQ(quota_.asked_tokens, 51963);
}

TEST_F(QuotaTest, CheckThatMustWaitPrintsTheSeconds) {
  quota_.headroom.set_verdict(GetHeadroomResponse::MUST_WAIT);
  quota_.headroom.mutable_wait()->set_seconds(3.646);
  CliProcess now({"quota", "check", "--model", "m", "--tokens", "51963"}, Plain());
  EXPECT_EQ(now.ExitCode(), 75);
  EXPECT_EQ(now.out(), "3.646\n");
  CliProcess patient({"quota", "check", "--model", "m", "--tokens", "51963", "--max-wait", "4s"}, Plain());
  EXPECT_EQ(patient.ExitCode(), 0);
  EXPECT_EQ(patient.out(), "");
}

TEST_F(QuotaTest, CheckAsJsonIsOneObject) {
  quota_.headroom.set_verdict(GetHeadroomResponse::NEVER_FITS);
  quota_.headroom.set_largest_admissible_tokens(200000);
  quota_.headroom.add_limits()->set_dimension("tokens");
  CliProcess cli({"quota", "check", "--model", "m", "--tokens", "300000", "--json"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 76);
  const auto object = boost::json::parse(cli.out()).as_object();
  EXPECT_FALSE(object.at("fits").as_bool());
  EXPECT_EQ(object.at("verdict").as_string(), "never_fits");
  EXPECT_EQ(object.at("seconds").as_double(), 0);
  EXPECT_EQ(object.at("largest_admissible").as_int64(), 200000);
  EXPECT_EQ(object.at("limits").as_array().size(), 1u);
}

TEST_F(QuotaTest, CheckMapsFailures) {
  quota_.status = grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "not this model");
  CliProcess denied({"quota", "check", "--model", "m", "--tokens", "1"}, Plain());
  EXPECT_EQ(denied.ExitCode(), 77);
  quota_server_.Stop();
  CliProcess gone({"quota", "check", "--model", "m", "--tokens", "1"}, Plain());
  EXPECT_EQ(gone.ExitCode(), 69);
  EXPECT_THAT(gone.err(), HasSubstr("quota_service unreachable"));
}

TEST_F(QuotaTest, StatusPrintsTheFirstStateAndWatchGoesOn) {
  quota_.states.resize(2);
  quota_.states[0].add_upstreams()->set_name("openai");
  quota_.states[1].add_upstreams()->set_name("moonshot");
  CliProcess once({"quota", "status"}, Plain());
  EXPECT_EQ(once.ExitCode(), 0) << once.err();
  EXPECT_EQ(once.out(), "openai\n");
  CliProcess watch({"quota", "status", "--watch", "--json"}, Plain());
  EXPECT_TRUE(watch.SeesOut("moonshot"));
  watch.Signal(SIGINT);
  EXPECT_EQ(watch.ExitCode(), 130);
}

}  // namespace
}  // namespace holdfast::cli
