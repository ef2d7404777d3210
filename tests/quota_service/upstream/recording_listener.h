#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "quota_service/upstream/upstream_client.h"

namespace holdfast::quota {

// Keeps what an exchange says, and notes where that breaks the listener's contract.
class RecordingListener : public UpstreamListener {
 public:
  void OnHeaders(int http_status, const HttpHeaders& answer_headers) override {
    if (status || done) out_of_order = true;
    status = http_status;
    headers = answer_headers;
    if (on_headers) on_headers();
  }
  void OnBody(std::string_view bytes) override {
    if (!status || done) out_of_order = true;
    body.append(bytes);
    if (on_body) on_body();
  }
  void OnDone(absl::Status transport) override {
    if (done) out_of_order = true;
    done = std::move(transport);
    if (on_done) on_done();
  }

  std::string Header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return "";
  }

  std::optional<int> status;
  HttpHeaders headers;
  std::string body;
  std::optional<absl::Status> done;
  bool out_of_order = false;
  std::function<void()> on_headers, on_body, on_done;
};

}  // namespace holdfast::quota
