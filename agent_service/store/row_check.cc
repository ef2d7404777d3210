#include "agent_service/store/row_check.h"

#include <openssl/evp.h>

#include <initializer_list>
#include <string>

#include "agent_service/store/rules.h"

namespace holdfast::agent {

int64_t RowCheck(std::string_view tenant, std::string_view session_id, int64_t sequence, const LogRow& row) {
  std::string text;
  text.reserve(tenant.size() + session_id.size() + row.bytes.size() + 64);
  text.append(tenant).append(1, '\0').append(session_id).append(1, '\0');
  for (const int64_t number : {sequence, ToMicros(row.time), int64_t{row.type}, int64_t{row.schema_version}}) {
    for (int shift = 0; shift < 64; shift += 8) text += static_cast<char>(static_cast<uint64_t>(number) >> shift);
  }
  text += row.bytes;
  // Looking the algorithm up takes as long as using it. Never freed.
  static EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  unsigned char digest[EVP_MAX_MD_SIZE] = {};
  EVP_Digest(text.data(), text.size(), digest, nullptr, sha256, nullptr);
  uint64_t check = 0;
  for (int i = 0; i < 8; ++i) check = check << 8 | digest[i];
  return static_cast<int64_t>(check);
}

std::vector<int64_t> RowChecks(const AppendRequest& request) {
  std::vector<int64_t> checks;
  checks.reserve(request.events.size());
  int64_t sequence = request.expected_sequence;
  for (const LogRow& event : request.events)
    checks.push_back(RowCheck(request.session.tenant, request.session.session_id, ++sequence, event));
  return checks;
}

}  // namespace holdfast::agent
