#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent_service/quota_client/quota_client.h"
#include "common/base/loop.h"

namespace holdfast::agent {

// quota_service as scripted by a test. On the loop; what it says is posted there, never told inside a call.
class FakeQuotaClient final : public QuotaClient {
 public:
  // What one Generate gets. Without an end its stream stays open, for Send and End.
  struct Script {
    std::vector<quota::v1::GenerateEvent> events;
    std::optional<grpc::Status> end;
  };
  using Respond = std::function<Script(const quota::v1::GenerateRequest&)>;

  explicit FakeQuotaClient(Loop& loop) : loop_(loop) {}

  // For the next Generate that has no script yet, in order. A Generate without one asks `respond`, and is silent
  // without that.
  void Play(Script script) { scripts_.push_back(std::move(script)); }
  void set_respond(Respond respond) { respond_ = std::move(respond); }

  // To the reader of the newest Generate, or of the one named by its place among all of them. Events without a number
  // are numbered on within their stream, from the cursor that it was asked for; without an incarnation they are of
  // "i1".
  void Send(quota::v1::GenerateEvent event) { SendTo(readers_.size() - 1, std::move(event)); }
  void SendTo(size_t generate, quota::v1::GenerateEvent event);
  void End(grpc::Status status) { EndOf(readers_.size() - 1, std::move(status)); }
  void EndOf(size_t generate, grpc::Status status);
  // The newest Generate has a reader: it was neither ended nor let go.
  bool attached() const { return !readers_.empty() && readers_.back()->listener != nullptr; }

  const std::vector<quota::v1::GenerateRequest>& requests() const { return requests_; }
  // Call ids of CancelCall, in order.
  const std::vector<std::string>& cancelled() const { return cancelled_; }
  int models_asked() const { return models_asked_; }
  int identities_asked() const { return identities_asked_; }

  // What GetModel says; at first a model of which nothing is known.
  void SetModel(const grpc::Status& status, quota::v1::GetModelResponse response = {});
  // GetModel is not answered until ReleaseModels.
  void HoldModels() { holding_models_ = true; }
  void ReleaseModels();
  // What WhoAmI says of a token; of others UNAUTHENTICATED.
  void SetIdentity(const std::string& token, const std::string& tenant, bool is_service = false);
  // WhoAmI fails with this while it is not OK.
  void FailWhoAmI(const grpc::Status& status) { who_am_i_status_ = status; }

  std::unique_ptr<Stream> Generate(quota::v1::GenerateRequest request, Listener* listener) override;
  void CancelCall(const std::string& tenant, const std::string& call_id) override;
  void GetModel(const std::string& model, Callback<quota::v1::GetModelResponse> done) override;
  void WhoAmI(const std::string& token, Callback<quota::v1::WhoAmIResponse> done) override;

 private:
  struct Reader {
    Listener* listener;
    int64_t last_event;
  };
  class Handle;

  Loop& loop_;
  std::vector<Script> scripts_;
  size_t played_ = 0;
  Respond respond_;
  std::vector<std::shared_ptr<Reader>> readers_;
  std::vector<quota::v1::GenerateRequest> requests_;
  std::vector<std::string> cancelled_;
  int models_asked_ = 0;
  int identities_asked_ = 0;
  grpc::Status model_status_;
  quota::v1::GetModelResponse model_;
  bool holding_models_ = false;
  std::vector<Callback<quota::v1::GetModelResponse>> held_models_;
  std::map<std::string, quota::v1::WhoAmIResponse> identities_;
  grpc::Status who_am_i_status_;
};

// Events, as quota_service would send them.
quota::v1::GenerateEvent WaitOf(double seconds, WallTime now);
quota::v1::GenerateEvent AdmittedAfter(double waited_seconds);
quota::v1::GenerateEvent DeltaOf(const std::string& item_id, int64_t offset, const std::string& text);
quota::v1::GenerateEvent ItemOf(const quota::v1::Item& item);
// Of a quota_service that has begun the call anew, as `incarnation`; or of the same, where it is absent.
quota::v1::GenerateEvent RestartedOf(const std::string& incarnation = "");
quota::v1::GenerateEvent CompletedWith(int64_t input_tokens, int64_t output_tokens, double waited_seconds = 0);
// The whole answer: the items, `completed`, OK.
FakeQuotaClient::Script AnswerOf(const std::vector<quota::v1::Item>& items, double waited_seconds = 0);

}  // namespace holdfast::agent
