#include "clients/cli/commands/quota.h"

#include <fmt/format.h>

#include <memory>
#include <string>

#include "clients/cli/commands/event_stream.h"
#include "clients/cli/commands/exit_code.h"
#include "clients/cli/commands/peer.h"
#include "clients/cli/commands/quota_text.h"
#include "clients/cli/commands/unary_call.h"
#include "clients/cli/terminal/json_lines.h"
#include "clients/cli/terminal/wait_line.h"
#include "common/rpc/channel.h"
#include "holdfast/quota/v1/quota.grpc.pb.h"

namespace holdfast::cli {
namespace {

using quota::v1::GetHeadroomResponse;
using quota::v1::QuotaService;
using StatusStream = EventStream<quota::v1::WatchStatusResponse>;

constexpr Duration kDeadline = std::chrono::seconds(10);
constexpr Duration kTick = std::chrono::milliseconds(100);

int Report(const Context& context, const grpc::Status& status) {
  if (context.interrupts.pending()) return kExitInterrupted;
  context.screen.Err(Explain(QuotaPeer(context.services.quota), status));
  return ExitCodeFor(status);
}

}  // namespace

int RunQuotaStatus(const Context& context, const QuotaStatusCommand& command) {
  const auto stub = QuotaService::NewStub(MakeChannel(context.services.quota));
  StatusStream stream(context.services.token, [&stub](grpc::ClientContext* call) -> StatusStream::Reader {
    return stub->WatchStatus(call, quota::v1::WatchStatusRequest());
  });
  const BootTime give_up = BootClock::now() + kDeadline;
  for (bool first = true;;) {
    if (context.screen.out_failed()) return kExitFailed;
    if (context.interrupts.pending()) return kExitInterrupted;
    quota::v1::WatchStatusResponse status;
    switch (stream.Pop(kTick, &status)) {
      case StatusStream::Next::kNothingYet:
        if (!first || BootClock::now() < give_up) break;
        return Report(context, {grpc::StatusCode::UNAVAILABLE, "no answer within 10 seconds"});
      case StatusStream::Next::kEnded:
        return Report(context, stream.status().ok() ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "the stream ended")
                                                    : stream.status());
      case StatusStream::Next::kEvent:
        if (command.json) {
          WriteJsonLine(context.screen, StatusJson(status));
        } else {
          context.screen.Out((first ? "" : "\n") + Sanitize(StatusText(status)));
        }
        if (!command.watch) return context.screen.out_failed() ? kExitFailed : kExitDone;
        first = false;
        break;
    }
  }
}

int RunQuotaCheck(const Context& context, const QuotaCheckCommand& command) {
  const std::unique_ptr<QuotaService::StubInterface> stub = QuotaService::NewStub(MakeChannel(context.services.quota));
  quota::v1::GetHeadroomRequest request;
  request.set_model(command.model);
  request.set_tokens(command.tokens);
  GetHeadroomResponse response;
  const grpc::Status status = AwaitUnary(context.services.token, kDeadline, &context.interrupts, nullptr,
                                         [&](grpc::ClientContext* call, std::function<void(grpc::Status)> done) {
                                           stub->async()->GetHeadroom(call, &request, &response, std::move(done));
                                         });
  if (!status.ok()) return Report(context, status);

  const HeadroomAnswer answer = Judge(response, command.max_wait);
  if (command.json) {
    WriteJsonLine(context.screen, HeadroomJson(response, answer));
  } else if (answer.exit_code == kExitMustWait) {
    context.screen.Out(fmt::format("{:.3f}\n", answer.seconds));
  }
  if (!command.json) context.screen.Err(HeadroomText(response, answer, command.tokens));
  return context.screen.out_failed() ? kExitFailed : answer.exit_code;
}

}  // namespace holdfast::cli
