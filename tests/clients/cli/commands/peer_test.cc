#include "clients/cli/commands/peer.h"

#include <gtest/gtest.h>

#include "clients/cli/commands/exit_code.h"
#include "common/rpc/status.h"

namespace holdfast::cli {
namespace {

const Peer kAgent = AgentPeer({.host = "127.0.0.1", .port = 7, .path = {}});

TEST(Peer, ThatIsNotThereIsNamedWithItsRemedy) {
  const grpc::Status refused(grpc::StatusCode::UNAVAILABLE,
                             "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:7: Failed to "
                             "connect to remote host: Connection refused");
  EXPECT_EQ(Explain(kAgent, refused),
            "agent_service unreachable at 127.0.0.1:7: Connection refused; start agent_service, or correct --agent or "
            "HOLDFAST_AGENT");
  const grpc::Status silent(grpc::StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded");
  EXPECT_EQ(Explain(QuotaPeer(kAgent.address), silent),
            "quota_service unreachable at 127.0.0.1:7: Deadline Exceeded; start quota_service, or correct --quota or "
            "HOLDFAST_QUOTA");
}

TEST(Peer, ThatCannotGoOnSaysWhyItself) {
  ErrorDetails later;
  later.retry_delay = std::chrono::seconds(1);
  EXPECT_EQ(Explain(kAgent, ToGrpc(absl::UnavailableError("the disk is full"), later)),
            "agent_service cannot go on: the disk is full");
}

TEST(Peer, BehindWhoseAddressIsAnHttpServerIsNotAwaited) {
  const grpc::Status http(grpc::StatusCode::UNAVAILABLE,
                          "failed to connect to all addresses; last error: INTERNAL: ipv4:127.0.0.1:7: Trying to "
                          "connect an http1.x server");
  EXPECT_EQ(Explain(kAgent, http),
            "127.0.0.1:7 is the address of an HTTP server, not of agent_service's gRPC: correct --agent or "
            "HOLDFAST_AGENT");
  EXPECT_FALSE(IsLinkFailure(http));
  EXPECT_EQ(ExitCodeFor(http), kExitUnreachable);
}

TEST(Peer, ThatRefusesKeepsItsOwnWords) {
  EXPECT_EQ(Explain(kAgent, ToGrpc(absl::AbortedError("busy"))), "busy");
  EXPECT_EQ(Explain(kAgent, ToGrpc(absl::UnimplementedError("not yet"))), "not yet");
}

TEST(Peer, ThatHasNoWordsIsQuotedByItsCode) {
  EXPECT_EQ(Explain(kAgent, ToGrpc(absl::InternalError(""))),
            "agent_service at 127.0.0.1:7 answered INTERNAL without a word");
}

}  // namespace
}  // namespace holdfast::cli
