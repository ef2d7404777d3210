#pragma once

#include <map>
#include <memory>
#include <string>

#include "agent_service/quota_client/quota_client.h"
#include "common/base/loop.h"

namespace holdfast::agent {

// What quota_service said of models, remembered for a moment: a call of a model with a known limit needs not wait for
// another answer. quota_service has the last word all the same, when the call comes. On the loop.
class KnownModels {
 public:
  KnownModels(Loop& loop, QuotaClient& quota) : loop_(loop), quota_(quota) {}

  // GetModel. May be called back after this object is gone.
  void Ask(const std::string& model, QuotaClient::Callback<quota::v1::GetModelResponse> done);
  // Null: nobody has asked for ten seconds, or no limit of it is known. What is older than two is asked for again
  // meanwhile. Until the next call of a method.
  const quota::v1::GetModelResponse* Find(const std::string& model);

 private:
  struct Known {
    quota::v1::GetModelResponse response;
    BootTime at{};
    bool asking = false;
  };
  using Models = std::map<std::string, Known>;

  Loop& loop_;
  QuotaClient& quota_;
  const std::shared_ptr<Models> models_ = std::make_shared<Models>();
};

}  // namespace holdfast::agent
