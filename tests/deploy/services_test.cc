// The committed configurations of the containers, run as they are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/deploy/deployment.h"

namespace holdfast::test {
namespace {

using testing::HasSubstr;
using testing::Not;

// The services read these files with nothing overridden: listeners that others can reach are allowed.
TEST(ComposeConfiguration, IsValidAsItIs) {
  const Deployment deployment;
  Process::Options options;
  options.folder = deployment.run();
  for (const auto& [service, file] : {std::pair("quota_service", "quota.yaml"), {"agent_service", "agent.yaml"}}) {
    Process check(
        {Program(service), "--check-config", "--config", RepositoryFile("deploy/compose").string() + "/" + file},
        options);
    EXPECT_EQ(check.WaitForExit(), 0) << check.err();
    EXPECT_EQ(check.err(), "") << "no warning either";
  }
}

TEST(ComposeConfiguration, TheProbeOfTheHealthChecksSaysWhenTheyServe) {
  Deployment deployment;
  for (const auto& [service, address] :
       {std::pair("quota_service", deployment.quota_grpc()), {"agent_service", deployment.agent_grpc()}}) {
    Process probe({Program(service), "--health", address});
    EXPECT_EQ(probe.WaitForExit(), 0) << probe.err();
    EXPECT_EQ(probe.out(), "serving\n");
  }
  Process nobody({Program("agent_service"), "--health", "127.0.0.1:1"});
  EXPECT_EQ(nobody.WaitForExit(), 1);
  EXPECT_THAT(nobody.err(), HasSubstr("agent_service: 127.0.0.1:1 does not answer"));
}

TEST(ComposeConfiguration, ATurnRunsForATenantAndStaysItsOwn) {
  Deployment deployment;
  deployment.simulator().SetScript(R"({"default": {"text": "The answer."}})");
  const std::string web = deployment.Secret("web_team_token");
  const std::string data = deployment.Secret("data_team_token");

  auto exec = deployment.Exec(web, "hello");
  EXPECT_EQ(exec->WaitForExit(), 0) << exec->err();
  EXPECT_EQ(exec->out(), "The answer.\n");
  const auto sessions = [&](const std::string& token) {
    auto list = deployment.Cli(token, {"sessions", "list", "--json"});
    EXPECT_EQ(list->WaitForExit(), 0) << list->err();
    return list->out();
  };
  EXPECT_THAT(sessions(web), HasSubstr("o4-mini"));
  EXPECT_EQ(sessions(data), "");

  for (const std::string& token : {std::string(), std::string("wrong")}) {
    EXPECT_EQ(deployment.Exec(token, "hello")->WaitForExit(), 77) << "'" << token << "'";
  }
  EXPECT_EQ(deployment.simulator().Requests().size(), 1u);
  for (const char* secret : {"openai_api_key", "web_team_token", "data_team_token", "agent_service_token"}) {
    EXPECT_THAT(deployment.logs(), Not(HasSubstr(deployment.Secret(secret)))) << secret;
  }
}

TEST(MakeSecrets, NobodyElseGetsInAndWhatIsThereStays) {
  const TemporaryFolder folder;
  const std::string secrets = folder.path("secrets");
  const std::string script = RepositoryFile("deploy/compose/make_secrets.sh");
  Process without({script, secrets});
  EXPECT_EQ(without.WaitForExit(), 1);
  EXPECT_THAT(without.err(), HasSubstr("OPENAI_API_KEY"));

  Process::Options options;
  options.environment = {{"OPENAI_API_KEY", kUpstreamKey}};
  Process first({script, secrets}, options);
  EXPECT_EQ(first.WaitForExit(), 0) << first.err();
  EXPECT_EQ(first.out() + first.err(), "");
  struct stat status {};
  ASSERT_EQ(stat(secrets.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  const std::string token = ReadText(secrets + "/web_team_token");
  EXPECT_EQ(token.size(), 64u);
  EXPECT_NE(token, ReadText(secrets + "/data_team_token"));
  // The user in the container is another one than the owner.
  ASSERT_EQ(stat((secrets + "/web_team_token").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0444u);

  Process again({script, secrets});
  EXPECT_EQ(again.WaitForExit(), 0) << again.err();
  EXPECT_EQ(ReadText(secrets + "/web_team_token"), token);
  EXPECT_EQ(ReadText(secrets + "/openai_api_key"), std::string(kUpstreamKey) + "\n");
}

}  // namespace
}  // namespace holdfast::test
