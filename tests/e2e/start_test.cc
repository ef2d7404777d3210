// What a service may find when it starts, and a SIGTERM that comes before it has.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <thread>

#include "tests/e2e/pair.h"
#include "tests/support/temporary_folder.h"

namespace holdfast::test {
namespace {

constexpr int kTerminated = 128 + SIGTERM;

class Start : public testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<Process> Run(const std::string& grpc, const std::string& state = "state") const {
    std::vector<std::string> command = {Program(GetParam()), "--grpc", grpc, "--metrics", "127.0.0.1:0"};
    if (command.front().ends_with("quota_service")) {
      command.insert(command.end(), {"--http", "127.0.0.1:0", "--upstream-url", "http://127.0.0.1:9/v1"});
    } else {
      command.insert(command.end(), {"--store", "sqlite:" + folder_.path(state)});
    }
    Process::Options options;
    options.environment = {{"OPENAI_API_KEY", "sk-test-upstream"}};
    return std::make_unique<Process>(command, options);
  }
  std::string socket() const { return "unix:" + folder_.path("grpc.sock"); }

  static void ExpectListening(Process& service) {
    EXPECT_TRUE(service.WaitForLine(Process::Stream::kErr, "listening:")) << service.err();
  }
  static void ExpectEndsWith0(Process& service) {
    service.Signal(SIGTERM);
    EXPECT_EQ(service.WaitForExit(), 0) << service.err();
  }

  TemporaryFolder folder_;
};

TEST_P(Start, ASignalDuringStartUpEndsItAndHindersNobody) {
  int ended_in_order = 0;
  for (int i = 0; i < 12; ++i) {
    const auto service = Run(socket());
    std::this_thread::sleep_for(std::chrono::milliseconds(10 * i));
    service->Signal(SIGTERM);
    const auto code = service->WaitForExit();
    // Before its first line it dies of the signal, as any program does.
    EXPECT_TRUE(code == 0 || code == kTerminated) << code.value_or(-1) << service->err();
    if (code == 0) ++ended_in_order;
  }
  const auto service = Run(socket());
  ExpectListening(*service);
  ExpectEndsWith0(*service);
  RecordProperty("ended_in_order", ended_in_order);
}

TEST_P(Start, ASignalRightAfterItListensEndsItInOrder) {
  const auto service = Run("127.0.0.1:0");
  ExpectListening(*service);
  ExpectEndsWith0(*service);
}

TEST_P(Start, TheSocketOfOneThatWasKilledIsReplacedAndThatOfALivingOneIsNot) {
  {
    const auto killed = Run(socket());
    ExpectListening(*killed);
    killed->Kill();
  }
  EXPECT_TRUE(std::filesystem::exists(folder_.path("grpc.sock"))) << "nothing stale is there to be replaced";
  const auto service = Run(socket());
  ExpectListening(*service);
  const auto second = Run(socket(), "another");
  EXPECT_EQ(second->WaitForExit(), 1);
  EXPECT_NE(second->err().find("another process listens there"), std::string::npos) << second->err();
  EXPECT_NE(second->err().find(socket()), std::string::npos) << second->err();
  ExpectEndsWith0(*service);
}

INSTANTIATE_TEST_SUITE_P(Of, Start, testing::Values("quota_service", "agent_service"),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace holdfast::test
