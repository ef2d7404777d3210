#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <fstream>
#include <sstream>

#include "tests/support/http_call.h"
#include "tests/support/process.h"
#include "tests/support/simulator_control.h"
#include "tests/support/temporary_folder.h"

namespace holdfast::quota {
namespace {

using test::Process;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr char kKey[] = "sk-never-to-be-seen";

// The program itself, as an operator starts it.
class QuotaServiceBinaryTest : public testing::Test {
 protected:
  Process& Run(const std::vector<std::string>& arguments, std::map<std::string, std::string> environment = {}) {
    std::vector<std::string> command{test::Program("quota_service")};
    command.insert(command.end(), arguments.begin(), arguments.end());
    Process::Options options;
    options.environment = std::move(environment);
    process_ = std::make_unique<Process>(command, options);
    return *process_;
  }

  const std::vector<std::string> free_ports_{"--grpc",      "127.0.0.1:0", "--http",
                                             "127.0.0.1:0", "--metrics",   "127.0.0.1:0"};
  test::TemporaryFolder folder_;
  std::unique_ptr<Process> process_;
};

TEST_F(QuotaServiceBinaryTest, SaysItsVersionAndItsFlags) {
  EXPECT_EQ(Run({"--version"}).WaitForExit(), 0);
  EXPECT_THAT(process_->out(), StartsWith("quota_service "));
  EXPECT_EQ(Run({"--help"}).WaitForExit(), 0);
  for (const char* flag :
       {"--config", "--upstream-url", "--api-key-env", "--grpc", "--http", "--metrics", "--check-config"}) {
    EXPECT_THAT(process_->out(), HasSubstr(flag));
  }
}

TEST_F(QuotaServiceBinaryTest, BadUsageIs2AndSaysWhy) {
  EXPECT_EQ(Run({"--no-such-flag"}).WaitForExit(), 2);
  EXPECT_EQ(Run({"--grpc", "nonsense"}).WaitForExit(), 2);
  EXPECT_THAT(process_->err(), HasSubstr("host:port"));
  EXPECT_EQ(Run(free_ports_).WaitForExit(), 2) << "OpenAI without a key";
  EXPECT_THAT(process_->err(), HasSubstr("OPENAI_API_KEY"));
}

TEST_F(QuotaServiceBinaryTest, ChecksAConfigurationWithoutServingIt) {
  const std::string good = folder_.Write("good.yaml", R"(
upstreams: [{name: u, base_url: "http://localhost:1", api_key: {env: KEY}}]
frontdoor: {max_wait: 1h}
)");
  EXPECT_EQ(Run({"--config", good, "--check-config"}, {{"KEY", kKey}}).WaitForExit(), 0);
  EXPECT_THAT(process_->out(), HasSubstr("valid"));
  EXPECT_EQ(process_->err(), "");
  EXPECT_EQ(Run({"--config", good, "--check-config"}, {{"KEY", kKey}, {"HOLDFAST_LOG", "verbose"}}).WaitForExit(), 2);
  EXPECT_THAT(process_->err(), HasSubstr("HOLDFAST_LOG: not one of trace"));
  EXPECT_EQ(Run({"--config", good, "--check-config"}, {{"KEY", kKey}, {"HOLDFAST_LOG", "off"}}).WaitForExit(), 0);
  const std::string bad = folder_.Write("bad.yaml", "\nupstreams: 3\n");
  EXPECT_EQ(Run({"--config", bad, "--check-config"}).WaitForExit(), 2);
  EXPECT_THAT(process_->err(), HasSubstr(bad + ":2: upstreams: must be a list"));
}

TEST_F(QuotaServiceBinaryTest, PrintsTheReferenceOfItsConfiguration) {
  EXPECT_EQ(Run({"--config-reference"}).WaitForExit(), 0);
  EXPECT_THAT(process_->out(), HasSubstr("upstreams[].limits[].tokens_per_minute"));
}

TEST_F(QuotaServiceBinaryTest, ServesFromTheEnvironmentAloneAndEndsOnSigtermWith0) {
  test::SimulatorProcess simulator({"--api-key", kKey});
  Run(free_ports_, {{"OPENAI_API_KEY", kKey}, {"HOLDFAST_UPSTREAM_URL", simulator.url()}});
  const auto line = process_->WaitForLine(Process::Stream::kErr, "listening: grpc 127.0.0.1:");
  ASSERT_TRUE(line.has_value()) << process_->err();
  EXPECT_THAT(*line, Not(HasSubstr("127.0.0.1:0"))) << "the ports that were chosen";
  process_->Signal(SIGTERM);
  EXPECT_EQ(process_->WaitForExit(), 0);
  EXPECT_THAT(process_->err(), HasSubstr("stopped"));
  EXPECT_THAT(process_->err() + process_->out(), Not(HasSubstr(kKey)));
}

// A port that nobody had a moment ago.
std::string FreeAddress() {
  boost::asio::io_context context;
  using boost::asio::ip::tcp;
  const tcp::acceptor acceptor(context, {boost::asio::ip::make_address("127.0.0.1"), 0});
  return "127.0.0.1:" + std::to_string(acceptor.local_endpoint().port());
}

TEST_F(QuotaServiceBinaryTest, WhatClientsAreToldToReachUsByDoesNotLeadUsToOurselves) {
  test::SimulatorProcess simulator({"--api-key", kKey});
  const std::string own = FreeAddress();
  Run({"--grpc", "127.0.0.1:0", "--http", own, "--metrics", "127.0.0.1:0"},
      {{"OPENAI_API_KEY", kKey},
       {"OPENAI_BASE_URL", "http://" + own + "/v1"},
       {"HOLDFAST_UPSTREAM_URL", simulator.url()}});
  ASSERT_TRUE(process_->WaitForLine(Process::Stream::kErr, "listening: ").has_value()) << process_->err();
  const auto answer = test::HttpCall("POST", "http://" + own + "/v1/responses", R"({"model":"m","input":"x"})");
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(simulator.control().Requests().size(), 1U);
}

TEST_F(QuotaServiceBinaryTest, AnUpstreamThatIsItselfIs1AndNamed) {
  const std::string own = FreeAddress();
  Run({"--grpc", "127.0.0.1:0", "--http", own, "--metrics", "127.0.0.1:0"},
      {{"OPENAI_API_KEY", kKey}, {"HOLDFAST_UPSTREAM_URL", "http://" + own + "/v1"}});
  EXPECT_EQ(process_->WaitForExit(), 1);
  EXPECT_THAT(process_->err(), testing::AllOf(HasSubstr("own address"), HasSubstr("HOLDFAST_UPSTREAM_URL")));
}

TEST_F(QuotaServiceBinaryTest, MayOpenAsManyDescriptorsAsItIsEverAllowedTo) {
  Run(free_ports_, {{"HOLDFAST_UPSTREAM_URL", "http://127.0.0.1:1"}});
  ASSERT_TRUE(process_->WaitForLine(Process::Stream::kErr, "listening: ").has_value());
  std::ifstream limits("/proc/" + std::to_string(process_->pid()) + "/limits");
  for (std::string line; std::getline(limits, line);) {
    std::istringstream words(line);
    std::string a, b, c, soft, hard;
    words >> a >> b >> c >> soft >> hard;
    if (b == "open") {
      EXPECT_EQ(soft, hard);
      return;
    }
  }
  FAIL() << "no limit on open files was found";
}

TEST_F(QuotaServiceBinaryTest, TheLogIsNotSilencedByAWordThatItDoesNotKnow) {
  Run(free_ports_, {{"HOLDFAST_UPSTREAM_URL", "http://127.0.0.1:1"}, {"HOLDFAST_LOG", "verbose"}});
  EXPECT_TRUE(process_->WaitForLine(Process::Stream::kErr, "listening: ").has_value());
  EXPECT_THAT(process_->err(), HasSubstr("HOLDFAST_LOG"));
}

TEST_F(QuotaServiceBinaryTest, AnAddressThatIsTakenIs1AndNamed) {
  Run(free_ports_, {{"HOLDFAST_UPSTREAM_URL", "http://127.0.0.1:1"}});
  const auto line = process_->WaitForLine(Process::Stream::kErr, "listening: grpc ");
  ASSERT_TRUE(line.has_value());
  const size_t begin = line->find("grpc ") + 5;
  const std::string taken = line->substr(begin, line->find(',', begin) - begin);
  Process::Options options;
  options.environment = {{"HOLDFAST_UPSTREAM_URL", "http://127.0.0.1:1"}};
  Process second({test::Program("quota_service"), "--grpc", taken, "--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0"},
                 options);
  EXPECT_EQ(second.WaitForExit(), 1);
  EXPECT_THAT(second.err(), HasSubstr("cannot listen on " + taken));
  EXPECT_THAT(second.err(), HasSubstr("name another address with --grpc or listen.grpc"));
}

}  // namespace
}  // namespace holdfast::quota
