#include "quota_service/frontdoor/front_door.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/duration_text.h"
#include "common/base/random_id.h"
#include "common/base/utf8.h"
#include "quota_service/frontdoor/answer/door_error.h"
#include "quota_service/frontdoor/answer/header_lists.h"
#include "quota_service/frontdoor/request/door_path.h"
#include "quota_service/service/make_envelope.h"
#include "quota_service/service/validate.h"

namespace holdfast::quota {
namespace {

constexpr char kJson[] = "application/json";
constexpr size_t kMostSession = 256;
// What is larger was not counted by anybody.
constexpr int64_t kMostTokens = 100'000'000;
// Of what is only looked up, as a list of models when a client starts.
constexpr Duration kMostWaitOfGet = std::chrono::seconds(10);

std::string Words(const absl::Status& status) { return {status.message().data(), status.message().size()}; }

HttpAnswer AnswerOf(const DoorError& error) {
  HttpHeaderList headers{{"Content-Type", kJson}};
  for (auto& header : RetryHeaders(error)) headers.push_back(std::move(header));
  return {error.status, std::move(headers), ErrorJson(error)};
}

HttpAnswer JsonAnswer(std::string body) { return {200, {{"Content-Type", kJson}}, std::move(body)}; }

std::string BearerOf(const HttpRequest& request) {
  std::string_view value = request.Header("authorization");
  constexpr std::string_view kScheme = "bearer ";
  const bool bearer =
      value.size() > kScheme.size() && std::equal(kScheme.begin(), kScheme.end(), value.begin(),
                                                  [](char a, unsigned char b) { return a == std::tolower(b); });
  if (!bearer) return "";
  value.remove_prefix(kScheme.size());
  while (value.starts_with(' ')) value.remove_prefix(1);
  return std::string(value);
}

// Whether a page of this origin may be one of this machine's own.
bool IsLoopbackOrigin(std::string_view origin) {
  const size_t scheme = origin.find("://");
  if (scheme == std::string_view::npos) return false;
  const std::string_view authority = origin.substr(scheme + 3);
  for (const std::string_view host : {"localhost", "127.0.0.1", "[::1]"}) {
    if (authority == host || (authority.starts_with(host) && authority.substr(host.size()).starts_with(':')))
      return true;
  }
  return false;
}

// What keeps requests of one conversation together in the queue.
std::string SessionOf(const HttpRequest& request, const ScannedRequest& scanned) {
  const auto header = [&](std::string_view name) { return std::string(request.Header(name)); };
  for (std::string session :
       {header("session-id"), header("session_id"), scanned.prompt_cache_key, header("x-session-id"), scanned.user}) {
    if (session.empty()) continue;
    session = RepairUtf8(session);
    return std::string(TruncateUtf8(session, kMostSession));
  }
  return fmt::format("connection-{}", request.connection);
}

std::vector<Splice> SplicesOf(const ScannedRequest& scanned, const Route& route) {
  std::vector<Splice> splices;
  if (scanned.model && scanned.model->value != route.model) {
    splices.push_back({scanned.model->begin, scanned.model->end, JsonQuoted(route.model)});
  }
  return splices;
}

// An upstream that speaks Responses has chat completions too; the other way round it is not so.
bool Serves(const Account& account, Api api) { return api != Api::kResponses || account.dialect == "responses"; }

}  // namespace

FrontDoor::FrontDoor(const CallServices& services, const QuotaConfig& config, const Router& router,
                     const Authenticator& authenticator, ResponseMemory& responses)
    : services_(services),
      config_(config.frontdoor),
      router_(router),
      authenticator_(authenticator),
      responses_(responses),
      open_(config.tenants.empty()) {}

FrontDoor::~FrontDoor() = default;

std::optional<DoorError> FrontDoor::WrongWith(const HttpRequest& head) const {
  if (!head.Header(kHopHeader).empty()) {
    return DoorError{508, "invalid_request_error", "loop_detected",
                     fmt::format("this request has passed a Holdfast already ({} is set): an upstream leads back here; "
                                 "set the provider's URL in the upstream's base_url or HOLDFAST_UPSTREAM_URL",
                                 kHopHeader)};
  }
  if (absl::Status status = CheckDoorPath(head.path); !status.ok()) return ErrorOfStatus(status);
  const bool generates = ApiOf(head.path) != Api::kOther;
  if (generates && head.method != "POST") {
    if (head.method == "GET" && !head.Header("upgrade").empty()) {
      return ErrorOfHttp(426, "WebSockets are not served here; POST /v1/responses with \"stream\": true");
    }
    return ErrorOfHttp(405, fmt::format("{} {}: only POST is known here", head.method, head.path));
  }
  if (open_ && !head.Header("origin").empty() && !IsLoopbackOrigin(head.Header("origin"))) {
    return ErrorOfHttp(403, "pages of other machines are not served where no tenants are configured");
  }
  if (const auto tenant = TenantOf(head); !tenant.ok()) return ErrorOfStatus(tenant.status());
  if (!open_ && IsSharedState(head.path)) {
    return ErrorOfHttp(403, fmt::format("{}: what is stored there belongs to the upstream's account as a whole, not to "
                                        "one tenant, and is not served where tenants are configured",
                                        head.path));
  }
  if (shutting_down_) return ErrorOfHttp(503, "this server is shutting down; send the request again");
  return std::nullopt;
}

std::optional<HttpAnswer> FrontDoor::Refuse(const HttpRequest& head) {
  const auto error = WrongWith(head);
  if (!error) return std::nullopt;
  HttpAnswer answer = AnswerOf(*error);
  if (error->status == 405) answer.headers.emplace_back("Allow", "POST");
  if (error->status == 426) answer.headers.emplace_back("Upgrade", "HTTP/1.1");
  return answer;
}

HttpAnswer FrontDoor::Complain(unsigned status, const std::string& message) {
  return AnswerOf(ErrorOfHttp(status, message));
}

absl::StatusOr<std::string> FrontDoor::TenantOf(const HttpRequest& request) const {
  auto tenant = authenticator_.TenantFor(BearerOf(request), "");
  if (absl::IsInvalidArgument(tenant.status()))
    return absl::PermissionDeniedError("this is the token of a service, which speaks gRPC; use that of a tenant");
  return tenant;
}

void FrontDoor::Serve(HttpRequest request, std::shared_ptr<HttpReply> reply) {
  if (auto models = OwnModels(request)) {
    reply->Send(*std::move(models));
    return;
  }
  const bool goes_on = ApiOf(request.path) == Api::kResponses;
  auto read = Read(std::move(request));
  if (absl::IsNotFound(read.status())) {
    reply->Send(AnswerOf(NoSuchResponse(Words(read.status()), goes_on ? "previous_response_id" : "")));
    return;
  }
  if (!read.ok()) {
    reply->Send(AnswerOf(ErrorOfStatus(read.status())));
    return;
  }
  auto call =
      std::make_unique<DoorCall>(services_, *std::move(read), std::move(reply),
                                 DoorCall::Events{[this](DoorCall* ended) { Remove(ended); },
                                                  [this](const Envelope& envelope, const std::string& id,
                                                         const TokenUsage& usage) { Remember(envelope, id, usage); }});
  DoorCall* const raw = call.get();
  calls_[raw] = std::move(call);
  raw->Start();
}

void FrontDoor::Remember(const Envelope& envelope, const std::string& response_id, const TokenUsage& usage) {
  const int64_t tokens =
      std::clamp<int64_t>(usage.input, 0, kMostTokens) + std::clamp<int64_t>(usage.output, 0, kMostTokens);
  responses_.Remember({response_id, envelope.tenant},
                      {envelope.route.account->name, envelope.model, tokens, services_.loop.WallNow()});
}

// The call is still on the stack, so it is let go later.
void FrontDoor::Remove(DoorCall* call) {
  const auto found = calls_.find(call);
  auto dead = std::make_shared<std::unique_ptr<DoorCall>>(std::move(found->second));
  calls_.erase(found);
  services_.loop.Post([dead] {});
  if (calls_.empty() && on_idle_) on_idle_();
}

absl::StatusOr<DoorRequest> FrontDoor::Read(HttpRequest request) {
  auto tenant = TenantOf(request);
  if (!tenant.ok()) return tenant.status();
  DoorRequest read;
  read.api = ApiOf(request.path);
  ScannedRequest scanned;
  const bool json = request.Header("content-type").starts_with(kJson) || read.api != Api::kOther;
  if (json && !request.body.empty()) {
    auto result = ScanRequest(read.api, request.body);
    if (!result.ok()) return result.status();
    scanned = *std::move(result);
  }
  const std::string before =
      read.api == Api::kResponses ? scanned.previous_response_id : std::string(ResponseIdOf(request.path));
  const ResponseIndex::Found known = before.empty() ? ResponseIndex::Found() : responses_.Find(before, *tenant);
  if (known.of_others) return absl::NotFoundError(before);
  std::string model = scanned.model ? scanned.model->value : "";
  if (read.api != Api::kOther || !model.empty()) {
    if (absl::Status status = ValidateModelName(model); !status.ok()) return status;
  }
  read.streaming = read.api != Api::kOther && scanned.stream;
  const auto max_wait = MaxWaitOf(request, scanned.stream);
  if (!max_wait.ok()) return max_wait.status();
  const auto background = IsBackground(request);
  if (!background.ok()) return background.status();
  // What is asked about a response is asked where that was made.
  if (model.empty() && known.own != nullptr) model = known.own->model;
  auto route = RouteFor(read.api, model, known.own);
  if (!route.ok()) return route.status();
  // The upstream reads what went before once more.
  const int64_t tokens_before = read.api == Api::kResponses && known.own != nullptr ? known.own->tokens : 0;
  read.stored = scanned.store;
  read.splices = SplicesOf(scanned, *route);
  for (const auto& cap : {scanned.max_output_tokens, scanned.max_completion_tokens, scanned.max_tokens}) {
    if (cap) read.caps.push_back(*cap);
  }
  PromptProfile prompt{.characters = scanned.prompt_characters + kCharactersOfToken * tokens_before};
  prompt.AddImages(scanned.images, route->model);
  read.envelope = MakeEnvelope({.tenant = *std::move(tenant),
                                .call_id = "http-" + RandomId(),
                                .session = SessionOf(request, scanned),
                                .model = model.empty() ? "other" : model,
                                .prompt_characters = prompt.charged_characters(),
                                .guessed_characters = prompt.guessed_characters(),
                                .output_cap = scanned.output_cap(),
                                .bytes = static_cast<int64_t>(request.body.capacity()),
                                .max_wait = *max_wait,
                                .background = *background},
                               *std::move(route));
  if (read.api == Api::kOther) {
    // What other APIs cost in tokens is not known.
    read.envelope.charge = read.envelope.guessed = 0;
  } else if (auto appraisal = Appraise(read, scanned, request.body, prompt, tokens_before)) {
    read.envelope.charge = appraisal->charge();
    read.envelope.guessed = appraisal->guessed();
    read.envelope.appraisal = std::move(appraisal);
  }
  read.body.method = request.method;
  read.body.path = request.path.substr(std::string_view("/v1").size());
  if (!request.query.empty()) read.body.path += "?" + request.query;
  read.body.content_type = request.Header("content-type");
  if (read.body.content_type.empty() && read.api != Api::kOther) read.body.content_type = kJson;
  read.body.accept = read.streaming ? "text/event-stream" : read.api != Api::kOther ? kJson : "*/*";
  read.body.headers = HeadersForUpstream(request.headers);
  read.body.bytes = std::move(request.body);
  return read;
}

std::shared_ptr<Appraisal> FrontDoor::Appraise(const DoorRequest& request, const ScannedRequest& scanned,
                                               std::string_view body, PromptProfile prompt,
                                               int64_t tokens_before) const {
  const Envelope& envelope = request.envelope;
  const Account& account = *envelope.route.account;
  const ProviderProfile& profile = ProfileOf(account.profile);
  const bool lowers = account.lower_output_cap && scanned.output_cap() > 0 && ChargesCapForGood(profile);
  if (!lowers && !profile.settles && !profile.counts_input) return nullptr;
  const RequestShape text = ShapeOf(ProfileBodyText(body, scanned), 0);
  prompt.shape.text = text.text + static_cast<double>(tokens_before);
  prompt.shape.shares = text.shares;
  EstimateKey key{.model = account.name + "/" + envelope.route.model,
                  .session = envelope.tenant + "/" + envelope.session,
                  .background = envelope.background};
  return std::make_shared<Appraisal>(estimator_, profile,
                                     Appraisal::Terms{.key = std::move(key),
                                                      .prompt = std::move(prompt),
                                                      .asked_cap = scanned.output_cap(),
                                                      .may_lower_cap = account.lower_output_cap,
                                                      .may_name_cap = false,
                                                      .may_ask_again = !request.streaming});
}

absl::StatusOr<bool> FrontDoor::IsBackground(const HttpRequest& request) {
  const std::string_view priority = request.Header("x-holdfast-priority");
  if (priority.empty() || priority == "interactive") return false;
  if (priority == "background") return true;
  return absl::InvalidArgumentError("x-holdfast-priority: must be interactive (the default) or background");
}

absl::StatusOr<Duration> FrontDoor::MaxWaitOf(const HttpRequest& request, bool streaming) const {
  Duration most = streaming ? config_.max_wait : config_.max_wait_non_streaming;
  if (request.method == "GET") most = std::min<Duration>(most, kMostWaitOfGet);
  const std::string_view wanted = request.Header("x-holdfast-max-wait");
  if (wanted.empty()) return most;
  const auto wait = ParseDuration(wanted);
  if (!wait.ok()) {
    return absl::InvalidArgumentError(fmt::format("x-holdfast-max-wait: {}", Words(wait.status())));
  }
  return std::min(*wait, most);
}

absl::StatusOr<Route> FrontDoor::RouteFor(Api api, const std::string& model, const KnownResponse* home) const {
  const Router::Model found = router_.Find(model);
  const Route* served = nullptr;
  for (const Route& route : found.routes) {
    if (!Serves(*route.account, api)) continue;
    // Another account does not know what the request goes on from.
    if (home != nullptr && route.account->name == home->account) return route;
  }
  for (const Route& route : found.routes) {
    if (!Serves(*route.account, api)) continue;
    // One whose key is refused or has no money is gone around where another can.
    if (services_.gates.Of(route.account->name).Refuses(route.model) == nullptr) return route;
    if (served == nullptr) served = &route;
  }
  if (served != nullptr) return *served;
  std::vector<std::string> others;
  for (const auto& [name, upstream] : router_.NamedModels()) {
    const Router::Model other = router_.Find(name);
    if (std::ranges::any_of(other.routes, [&](const Route& route) { return Serves(*route.account, api); })) {
      others.push_back(name);
    }
  }
  return absl::InvalidArgumentError(
      fmt::format("model: the upstream of \"{}\" ({}) does not serve /v1/responses; call it by /v1/chat/completions{}",
                  model, found.routes.front().account->name,
                  others.empty() ? std::string() : fmt::format(", or use one of: {}", fmt::join(others, ", "))));
}

std::optional<HttpAnswer> FrontDoor::OwnModels(const HttpRequest& request) const {
  if (request.method != "GET") return std::nullopt;
  const bool all = request.path == "/v1/models";
  if (!all && !request.path.starts_with("/v1/models/")) return std::nullopt;
  // Codex asks so for a catalogue of its own kind; an empty one is what it has without us.
  if (all && request.query.find("client_version=") != std::string::npos) return JsonAnswer(R"({"models":[]})");
  const auto object = [](const std::string& name, const std::string& upstream) {
    return fmt::format(R"({{"id":{},"object":"model","created":0,"owned_by":{}}})", JsonQuoted(name),
                       JsonQuoted(upstream));
  };
  const auto named = router_.NamedModels();
  if (!all) {
    const auto found = named.find(request.path.substr(std::string_view("/v1/models/").size()));
    if (found == named.end()) return std::nullopt;
    return JsonAnswer(object(found->first, found->second));
  }
  if (named.empty()) return std::nullopt;
  std::vector<std::string> objects;
  for (const auto& [name, upstream] : named) objects.push_back(object(name, upstream));
  return JsonAnswer(fmt::format(R"({{"object":"list","data":[{}]}})", fmt::join(objects, ",")));
}

void FrontDoor::BeginShutdown() {
  shutting_down_ = true;
  std::vector<DoorCall*> calls;
  for (const auto& [raw, call] : calls_) calls.push_back(raw);
  // Calls that end are let go later, so these stay valid.
  for (DoorCall* call : calls) call->CancelWaiting();
}

}  // namespace holdfast::quota
