#include "agent_service/host/known_models.h"

#include <utility>

namespace holdfast::agent {
namespace {

constexpr Duration kUsable = std::chrono::seconds(10);
constexpr Duration kFresh = std::chrono::seconds(2);
// Names come from clients.
constexpr size_t kMostKnown = 1000;

}  // namespace

void KnownModels::Ask(const std::string& model, QuotaClient::Callback<quota::v1::GetModelResponse> done) {
  quota_.GetModel(model, [&loop = loop_, models = models_, model, done = std::move(done)](
                             const grpc::Status& status, const quota::v1::GetModelResponse& response) mutable {
    const BootTime now = loop.Now();
    models->erase(model);
    if (models->size() >= kMostKnown)
      std::erase_if(*models, [&](const auto& entry) { return now - entry.second.at > kUsable; });
    if (status.ok() && response.largest_admissible_tokens() > 0 && models->size() < kMostKnown)
      (*models)[model] = {response, now};
    done(status, response);
  });
}

const quota::v1::GetModelResponse* KnownModels::Find(const std::string& model) {
  const auto found = models_->find(model);
  if (found == models_->end() || loop_.Now() - found->second.at > kUsable) return nullptr;
  if (loop_.Now() - found->second.at > kFresh && !std::exchange(found->second.asking, true))
    Ask(model, [](const grpc::Status&, const quota::v1::GetModelResponse&) {});
  return &found->second.response;
}

}  // namespace holdfast::agent
