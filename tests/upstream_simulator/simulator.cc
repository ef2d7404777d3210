#include "tests/upstream_simulator/simulator.h"

#include <set>
#include <utility>

#include "boost/json/array.hpp"
#include "boost/json/serialize.hpp"
#include "fmt/format.h"
#include "tests/upstream_simulator/field_reader.h"
#include "tests/upstream_simulator/texts.h"

namespace holdfast::simulator {
namespace {

namespace json = boost::json;

constexpr std::int64_t kSecondNs = 1'000'000'000;

json::value WindowJson(const std::optional<RateWindow>& window, std::int64_t now_ns) {
  if (!window) return nullptr;
  const RateLimit& limit = window->limit();
  const bool whole = limit.per_ns % kSecondNs == 0;
  const json::value per =
      whole ? json::value(limit.per_ns / kSecondNs) : json::value(static_cast<double>(limit.per_ns) / 1e9);
  return json::object{
      {"limit", limit.limit}, {"per", per}, {"kind", WindowKindName(limit.kind)}, {"used", window->Used(now_ns)}};
}

// What a plain answer takes altogether: it is generated at the same speed as a stream.
std::int64_t PlainDelayMs(const Answer& answer) {
  const std::int64_t deltas = answer.text.empty() ? 0 : answer.chunks;
  return answer.first_event_delay_ms + deltas * answer.event_delay_ms + answer.last_event_delay_ms;
}

}  // namespace

Simulator::Simulator(std::optional<std::string> api_key, Moment now)
    : api_key_(std::move(api_key)), limits_(now.boot_ns) {
  script_.otherwise.text = "OK.";
}

bool Simulator::Authorized(std::string_view authorization) const {
  return !api_key_ || authorization == fmt::format("Bearer {}", *api_key_);
}

Simulator::Ticket Simulator::Arrive(Dialect dialect, std::string_view authorization, std::string body, Moment now) {
  Ticket ticket;
  Record record;
  record.path = DialectName(dialect);
  record.boot_ns = now.boot_ns;
  record.wall_ms = now.wall_ms;

  absl::StatusOr<GenerationRequest> request = ReadGenerationRequest(dialect, body);
  if (request.ok()) {
    record.request = *request;
    record.body_sha256 = request->body_sha256;
    ticket.request = *std::move(request);
  } else {
    record.body_sha256 = Sha256(body);
    ticket.ready = ErrorReply(400, ErrorObject(request.status().message().data(), "invalid_request_error", ""));
  }
  record.body = std::move(body);
  Judge(ticket, record, authorization, now);
  if (ticket.ready) record.status = ticket.ready->status;
  ticket.index = log_.Add(std::move(record));
  ++in_flight_;
  return ticket;
}

void Simulator::Judge(Ticket& ticket, Record& record, std::string_view authorization, Moment now) {
  if (!Authorized(authorization)) {
    ticket.ready = UnauthorizedReply(authorization);
    return;
  }
  if (ticket.ready) return;

  limits_.SetUsed(std::exchange(script_.used_at_next_request, {}), now.boot_ns);
  const std::int64_t charge = ticket.request.charge;
  if (const std::optional<RateWindow>& tokens = limits_.tokens()) {
    record.limit = tokens->limit().limit;
    record.used_before = tokens->Used(now.boot_ns);
    if (charge <= *record.limit) record.earliest_boot_ns = tokens->FitsFromNs(charge, now.boot_ns);
  }

  ticket.answer = ChooseAnswer(script_, ticket.request);
  const Fault* pushed = faults_.For(ticket.request);
  ticket.fault = pushed != nullptr ? *pushed : ticket.answer.fault;
  if (!ticket.fault || !RefusesAtTheGate(ticket.fault->kind)) {
    if (const std::optional<Refusal> refusal = limits_.Admit(charge, now.boot_ns)) {
      if (!refusal->too_large) record.wait_ms = refusal->wait_ms;
      ticket.ready = RefusalReply(*refusal, ticket.request.model);
      if (!options_.retry_headers) ticket.ready->headers.clear();
      AddRateLimitHeaders(*ticket.ready, now, std::nullopt);
      return;
    }
    record.admitted = ticket.admitted = true;
  }
  if (pushed != nullptr) faults_.Take(ticket.request);

  ticket.delay_ms = ticket.answer.delay_ms + (ticket.request.stream ? 0 : PlainDelayMs(ticket.answer));
  if (ticket.fault) {
    record.fault = FaultName(ticket.fault->kind);
    ticket.pretended = limits_.Pretend(charge, ticket.fault->seconds.value_or(1));
    switch (ticket.fault->kind) {
      case FaultKind::kRateLimit:
      case FaultKind::kRateLimitNoHeaders:
      case FaultKind::kStreamRateLimit:
      case FaultKind::kStreamError:
        record.wait_ms = ticket.pretended.wait_ms;
        break;
      default:
        break;
    }
  }
}

Reply Simulator::Respond(const Ticket& ticket, Moment now) {
  if (ticket.ready) return *ticket.ready;
  if (ticket.admitted) limits_.SetUsed(ticket.answer.set_used, now.boot_ns);
  const AnswerContext context{ticket.request, ticket.answer, UsageOf(ticket.request, ticket.answer),
                              Ids(ticket.request.body_sha256), now.wall_ms / 1000};
  Reply reply = ticket.fault ? FaultReply(*ticket.fault, context, ticket.pretended) : AnswerReply(context);
  if (ticket.fault && ticket.fault->kind == FaultKind::kRateLimit) {
    AddRateLimitHeaders(reply, now, ticket.pretended);
  } else if (reply.status == 200) {
    AddRateLimitHeaders(reply, now, std::nullopt);
  }
  reply.headers.emplace_back("x-request-id", fmt::format("req_sim_{}", ticket.index));
  Record* record = log_.Find(ticket.index);
  if (record != nullptr && reply.send_headers) record->status = reply.status;
  return reply;
}

void Simulator::Finish(std::int64_t index, Moment now, bool completed, bool client_gone) {
  --in_flight_;
  Record* record = log_.Find(index);
  if (record == nullptr) return;
  record->completed = completed;
  record->client_gone = client_gone;
  record->ended_boot_ns = now.boot_ns;
}

void Simulator::AddRateLimitHeaders(Reply& reply, Moment now, const std::optional<Refusal>& pretended) const {
  if (!options_.rate_limit_headers) return;
  for (auto& header : limits_.RateLimitHeaders(now.boot_ns, pretended)) reply.headers.push_back(std::move(header));
}

std::string Simulator::ModelsBody() const {
  std::set<std::string> names{"o4-mini"};
  for (const Answer& answer : script_.answers) {
    if (answer.when.model) names.insert(*answer.when.model);
  }
  json::array data;
  for (const std::string& name : names) {
    data.push_back(json::object{{"id", name}, {"object", "model"}, {"created", 1744225308}, {"owned_by", "openai"}});
  }
  return json::serialize(json::object{{"object", "list"}, {"data", std::move(data)}});
}

void Simulator::Load(Script script, Moment now) {
  limits_.Apply(script.limits, now.boot_ns);
  script_ = std::move(script);
}

absl::Status Simulator::SetLimits(const json::value& document, Moment now) {
  absl::StatusOr<LimitsSetting> setting = ReadLimits(document, "");
  if (setting.ok()) limits_.Apply(*setting, now.boot_ns);
  return setting.status();
}

absl::Status Simulator::SetOptions(const json::value& document) {
  FieldReader reader(document, "");
  Options options = options_;
  reader.Boolean("rate_limit_headers", options.rate_limit_headers);
  reader.Boolean("retry_headers", options.retry_headers);
  reader.Boolean("hold_streams", options.hold_streams);
  absl::Status status = reader.Finish();
  if (status.ok()) options_ = options;
  return status;
}

json::object Simulator::LimitsJson(Moment now) const {
  return {{"tokens", WindowJson(limits_.tokens(), now.boot_ns)},
          {"requests", WindowJson(limits_.requests(), now.boot_ns)}};
}

}  // namespace holdfast::simulator
