#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "absl/status/statusor.h"
#include "common/http/http_message.h"
#include "quota_service/config/config.h"
#include "quota_service/frontdoor/door_call.h"
#include "quota_service/frontdoor/responses/response_memory.h"
#include "quota_service/service/authenticator.h"
#include "quota_service/service/router.h"

namespace holdfast::quota {

// The OpenAI-compatible face: POST /v1/responses and /v1/chat/completions, GET /v1/models, and what else an upstream
// has under /v1/. Who calls, where it goes, what is refused; a DoorCall does the rest. On the loop.
class FrontDoor final : public HttpHandler {
 public:
  // What the references name outlives it.
  FrontDoor(const CallServices& services, const QuotaConfig& config, const Router& router,
            const Authenticator& authenticator, ResponseMemory& responses);
  ~FrontDoor() override;

  std::optional<HttpAnswer> Refuse(const HttpRequest& head) override;
  void Serve(HttpRequest request, std::shared_ptr<HttpReply> reply) override;
  HttpAnswer Complain(unsigned status, const std::string& message) override;

  // New requests are refused, waiting ones are told to come again; running ones go on.
  void BeginShutdown();
  // No request is under way.
  bool idle() const { return calls_.empty(); }
  // Called when the last one has ended.
  void set_on_idle(std::function<void()> on_idle) { on_idle_ = std::move(on_idle); }

 private:
  absl::StatusOr<std::string> TenantOf(const HttpRequest& request) const;
  std::optional<DoorError> WrongWith(const HttpRequest& head) const;
  // INVALID_ARGUMENT and others: what is wrong with the request. NOT_FOUND, with the id: of a
  // response that another tenant has.
  absl::StatusOr<DoorRequest> Read(HttpRequest request);
  static absl::StatusOr<bool> IsBackground(const HttpRequest& request);
  absl::StatusOr<Duration> MaxWaitOf(const HttpRequest& request, bool streaming) const;
  // `home`: the response that the request goes on from; may be null.
  absl::StatusOr<Route> RouteFor(Api api, const std::string& model, const KnownResponse* home) const;
  // For gates that do more with a call than charge its characters, images and cap; null for the others. `prompt` has
  // all but the text.
  std::shared_ptr<Appraisal> Appraise(const DoorRequest& request, const ScannedRequest& scanned, std::string_view body,
                                      PromptProfile prompt, int64_t tokens_before) const;
  void Remember(const Envelope& envelope, const std::string& response_id, const TokenUsage& usage);
  // Absent: the upstream is asked.
  std::optional<HttpAnswer> OwnModels(const HttpRequest& request) const;
  void Remove(DoorCall* call);

  CallServices services_;
  const FrontDoorConfig config_;
  const Router& router_;
  const Authenticator& authenticator_;
  ResponseMemory& responses_;
  // Apart from that of typed calls: here the text is measured with the JSON around it.
  const std::shared_ptr<Estimator> estimator_ = std::make_shared<Estimator>();
  const bool open_;  // without tenants: everybody who reaches it is served
  std::unordered_map<DoorCall*, std::unique_ptr<DoorCall>> calls_;
  std::function<void()> on_idle_;
  bool shutting_down_ = false;
};

}  // namespace holdfast::quota
