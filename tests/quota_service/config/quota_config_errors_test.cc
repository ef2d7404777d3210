#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quota_service/config/base_url.h"
#include "tests/quota_service/config/config_file.h"

namespace holdfast::quota {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr char kUpstream[] = "upstreams: [{name: u, base_url: \"http://localhost\"}]\n";

TEST(QuotaConfigErrors, NameFileLineKeyAndRemedy) {
  const ConfigFile file;
  const struct {
    const char* text;
    const char* where;
    const char* remedy;
  } cases[] = {
      {"", "1: upstreams: ", "at least one is required"},
      {"upstreams: []", "1: upstreams: ", "at least one is required"},
      {"\nupstream: []\n", "2: upstream: ", "known here: bounds, data, frontdoor"},
      {"\n\nupstreams:\n  - {name: u}\n", "4: upstreams[].base_url: ", "is required"},
      {"upstreams:\n  - {base_url: \"http://x\"}", "2: upstreams[].name: ", "is required"},
      {"upstreams:\n  - {name: u, base_ulr: \"http://x\"}",
       "2: upstreams[].base_ulr: ", "known here: api_key, base_url"},
      {"upstreams:\n  - {name: u, base_url: \"http://x\"}\n  - name: u\n    base_url: http://y\n",
       "3: upstreams[].name: ", "names must differ"},
      {"upstreams:\n  - {name: a/b, base_url: \"http://x\"}", "2: upstreams[].name: ", "[A-Za-z0-9._@:-]"},
      {"upstreams:\n  - {name: u, base_url: x.example}", "2: upstreams[].base_url: ", "https://"},
      {"upstreams:\n  - {name: u, base_url: \"http://x\", profile: opnai}",
       "2: upstreams[].profile: ", "openai, azure"},
      {"upstreams:\n  - {name: u, base_url: \"http://x\", dialect: soap}",
       "2: upstreams[].dialect: ", "responses, chat"},
      {"upstreams:\n  - {name: u, base_url: \"http://x\", api_key: sk-secret}",
       "2: upstreams[].api_key: ", "{env: NAME}"},
      {"upstreams:\n  - {name: u, base_url: \"http://x\", api_key: {env: NOT_SET}}",
       "2: upstreams[].api_key: ", "NOT_SET is not set"},
      {"upstreams:\n  - {name: u, base_url: \"http://x\", stall_timeout: 0}",
       "2: upstreams[].stall_timeout: ", "longer than 0"},
      {"upstreams:\n  - {name: u, base_url: \"http://x\", run_timeout: 60}", "2: upstreams[].run_timeout: ", "15m"},
      {"upstreams:\n  - name: u\n    base_url: http://x\n    limits:\n      - {tokens_per_minute: 0}\n",
       "5: upstreams[].limits[].tokens_per_minute: ", "from 1 to"},
      {"upstreams:\n  - name: u\n    base_url: http://x\n    limits:\n      - {requests: {per: 2s}}\n",
       "5: upstreams[].limits[].requests.count: ", "is required"},
      {"upstreams:\n  - name: u\n    base_url: http://x\n    limits:\n      - {tokens: {count: 1, per: 0}}\n",
       "5: upstreams[].limits[].tokens.per: ", "longer than 0"},
      {"upstreams:\n  - name: u\n    base_url: http://x\n    limits:\n      - {models: [m]}\n      - {models: [n, "
       "m]}\n",
       "6: upstreams[].limits[].models: ", "\"m\" is in two limits"},
      {"upstreams:\n  - name: u\n    base_url: http://x\n    limits:\n      - {concurrent: 1}\n      - {concurrent: "
       "2}\n",
       "6: upstreams[].limits[].models: ", "\"(all)\" is in two limits"},
  };
  for (const auto& [text, where, remedy] : cases) {
    EXPECT_THAT(file.Refusal(text), AllOf(StartsWith(where), HasSubstr(remedy), Not(HasSubstr("sk-secret")))) << text;
  }
}

TEST(QuotaConfigErrors, BehindTheUpstreamsNameFileLineKeyAndRemedyToo) {
  const ConfigFile file;
  const struct {
    const char* text;
    const char* where;
    const char* remedy;
  } cases[] = {
      {"models:\n  - {name: m, upstreams: [v]}", "3: models[].upstreams: ", "there is no upstream \"v\""},
      {"models:\n  - {name: m}\n  - {name: m}", "4: models[].name: ", "names must differ"},
      {"models:\n  - {upstream_model: m}", "3: models[].name: ", "is required"},
      {"models:\n  - {name: m, context_window: 0}", "3: models[].context_window: ", "from 1 to"},
      {"tenants:\n  - {name: a}", "3: tenants[].token: ", "{env: NAME} or {file: PATH}"},
      {"tenants:\n  - {name: a, token: }", "3: tenants[].token: ", "has no value"},
      {"tenants:\n  - {token: {env: TOKEN_A}}", "3: tenants[].name: ", "is required"},
      {"tenants:\n  - {name: a b, token: {env: TOKEN_A}}", "3: tenants[].name: ", "[A-Za-z0-9._@:-]"},
      {"tenants:\n  - {name: a, token: {env: TOKEN_A}}\n  - {name: a, token: {env: TOKEN_B}}",
       "4: tenants[].name: ", "names must differ"},
      {"tenants:\n  - {name: a, token: {env: TOKEN_A}}\n  - {name: b, token: {env: TOKEN_A}}",
       "4: tenants[].token: ", "needs its own"},
      {"tenants:\n  - {name: a, token: {env: TOKEN_A}}\nservices:\n  - {name: s, token: {env: TOKEN_A}}",
       "5: services[].token: ", "needs its own"},
      {"tenants:\n  - {name: a, token: {env: TOKEN_A}, weight: 0}", "3: tenants[].weight: ", "from 0.001 to 1000"},
      {"tenants:\n  - {name: a, token: {env: TOKEN_A}, tokens_per_day: 0}", "3: tenants[].tokens_per_day: ", "from 1"},
      {"tenants:\n  - {name: a, token: {env: TOKEN_A}, tokens_per_day: 9, budget_warning: 80}",
       "3: tenants[].budget_warning: ", "from 0 to 1"},
      {"tenants:\n  - {name: a, token: {env: TOKEN_A}, budget_warning: 0.5}",
       "3: tenants[].budget_warning: ", "tokens_per_day"},
      {"services:\n  - {name: s, token: {env: TOKEN_A}}", "3: services: ", "configure `tenants`"},
      {"ledger: {url: \"redis://h:1\"}", "2: ledger.url: ", "write memory:"},
      {"bounds: {finished_calls: -1}", "2: bounds.finished_calls: ", "256MiB"},
      {"frontdoor: {max_body: 64MB}", "2: frontdoor.max_body: ", "256MiB"},
      {"listen: {grpc: \"50051\"}", "2: listen.grpc: ", "host:port"},
      {"tls: {certificate: /no/such.pem, key: /no/such.pem}", "2: tls.certificate: ", "/no/such.pem cannot be read"},
  };
  for (const auto& [text, where, remedy] : cases) {
    EXPECT_THAT(file.Refusal(std::string(kUpstream) + text), AllOf(StartsWith(where), HasSubstr(remedy))) << text;
  }
}

TEST(QuotaConfigErrors, OtherMachinesNeedATenantsToken) {
  const ConfigFile file;
  const std::string open = std::string(kUpstream) + "listen: {grpc: \"0.0.0.0:50051\"}\n";
  EXPECT_THAT(file.Refusal(open), AllOf(StartsWith(" listen.grpc: 0.0.0.0:50051"), HasSubstr("configure tenants")));
  EXPECT_TRUE(file.Load(open + "tenants: [{name: a, token: {env: TOKEN_A}}]").ok());
}

TEST(QuotaConfigErrors, AFileThatIsNotThereIsNamed) {
  const auto config = LoadQuotaConfig("/no/such/quota.yaml", {});
  EXPECT_THAT(std::string(config.status().message()), HasSubstr("/no/such/quota.yaml cannot be read"));
}

TEST(BaseUrl, IsSchemeHostPortAndPath) {
  for (const char* url :
       {"http://localhost", "https://api.openai.com/v1", "http://[::1]:8080/v1/", "http://10.0.0.1:1"}) {
    EXPECT_TRUE(CheckBaseUrl(url).ok()) << url;
  }
  for (const char* url : {"", "localhost", "ftp://h", "http://", "https:///v1", "HTTP//h", "http://h/v1?x=1",
                          "http://h/#f", "http://h /v1", "http://h\n", "http://h/\xC3\xA4"}) {
    EXPECT_EQ(CheckBaseUrl(url).code(), absl::StatusCode::kInvalidArgument) << url;
  }
}

TEST(BaseUrl, HoldsNoSecretAndIsNeverRepeated) {
  for (const char* url : {"https://user:sk-secret@h/v1", "https://sk-secret@h", "https://h/v1?api_key=sk-secret"}) {
    const absl::Status status = CheckBaseUrl(url);
    EXPECT_FALSE(status.ok()) << url;
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("sk-secret")));
  }
}

}  // namespace
}  // namespace holdfast::quota
