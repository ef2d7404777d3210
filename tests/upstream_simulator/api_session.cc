#include "tests/upstream_simulator/api_session.h"

#include <time.h>

#include <optional>
#include <utility>

#include "fmt/format.h"
#include "tests/upstream_simulator/control.h"
#include "tests/upstream_simulator/texts.h"

namespace holdfast::simulator {
namespace {

namespace asio = boost::asio;

constexpr std::int64_t kCommentEveryMs = 100;
constexpr std::int64_t kUntilGoneMs = 3'600'000;
constexpr std::int64_t kBeforeResetMs = 50;  // a reset makes the peer forget what it has not read yet
constexpr std::int64_t kHoldMs = 10;         // between two looks whether streams are still held

std::int64_t ClockNs(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

HttpHead HeadOf(const Reply& reply, bool keep_alive) {
  return {reply.status, reply.content_type, reply.headers, keep_alive};
}

asio::awaitable<bool> WriteEvents(HttpStream& stream, const Simulator& simulator, const Reply& reply) {
  int deltas = 0;
  for (std::size_t i = 0; i < reply.events.size(); ++i) {
    if (i == 1) co_await stream.Pause(reply.first_event_delay_ms);
    if (reply.events[i].last && i > 0 && !reply.events[i - 1].last) co_await stream.Pause(reply.last_event_delay_ms);
    if (reply.events[i].delta) {
      co_await stream.Pause(reply.event_delay_ms);
      while (deltas > 0 && simulator.options().hold_streams && !stream.gone()) co_await stream.Pause(kHoldMs);
      ++deltas;
    }
    if (stream.gone()) co_return false;
    const bool written = co_await stream.WriteChunk(reply.events[i].bytes);
    if (!written) co_return false;
  }
  co_return true;
}

// All but the ending. True: every byte that the reply intends was written.
asio::awaitable<bool> WriteContent(HttpStream& stream, const Simulator& simulator, const Reply& reply,
                                   bool keep_alive) {
  HttpHead head = HeadOf(reply, keep_alive);
  if (!reply.stream && !reply.body_cut) {
    const bool written = co_await stream.WriteWhole(std::move(head), reply.body);
    co_return written;
  }
  const std::optional<std::size_t> length = reply.stream ? std::nullopt : std::optional(reply.body.size());
  bool written = co_await stream.WriteHead(std::move(head), length);
  if (!written) co_return false;
  if (!reply.stream) {
    written = co_await stream.WriteRaw(std::string_view(reply.body).substr(0, *reply.body_cut));
    co_return written;
  }
  written = co_await WriteEvents(stream, simulator, reply);
  if (written && (reply.ending == Ending::kWhole || reply.ending == Ending::kShort)) {
    written = co_await stream.WriteLastChunk();
  }
  co_return written;
}

asio::awaitable<void> AwaitDeparture(HttpStream& stream, bool comments) {
  while (!stream.gone()) {
    if (comments) {
      const bool written = co_await stream.WriteChunk(": ping\n\n");
      if (!written) co_return;
    }
    co_await stream.Pause(comments ? kCommentEveryMs : kUntilGoneMs);
  }
}

// True: the whole answer was written. Where the connection must not be used again, it is closed.
asio::awaitable<bool> Play(HttpStream& stream, const Simulator& simulator, const Reply& reply, bool keep_alive) {
  bool written = true;
  if (reply.send_headers) written = co_await WriteContent(stream, simulator, reply, keep_alive);
  if (written && !reply.raw.empty()) written = co_await stream.WriteRaw(reply.raw);
  if (!written) {
    stream.Close();
    co_return false;
  }
  switch (reply.ending) {
    case Ending::kWhole:
      co_return true;
    case Ending::kShort:
      co_return false;
    case Ending::kReset:
      if (reply.send_headers) co_await stream.Pause(kBeforeResetMs);
      stream.Reset();
      co_return false;
    case Ending::kClose:
      stream.Close();
      co_return false;
    case Ending::kSilence:
    case Ending::kComments:
      co_await AwaitDeparture(stream, reply.stream && reply.ending == Ending::kComments);
      stream.Close();
      co_return false;
  }
  co_return false;
}

asio::awaitable<void> Generate(HttpStream& stream, Simulator& simulator, Dialect dialect, HttpRequest request) {
  const Simulator::Ticket ticket =
      simulator.Arrive(dialect, request.authorization, std::move(request.body), CurrentMoment());
  stream.Watch();
  co_await stream.Pause(ticket.delay_ms);
  bool completed = false;
  if (!stream.gone()) {
    const Reply reply = simulator.Respond(ticket, CurrentMoment());
    completed = co_await Play(stream, simulator, reply, request.keep_alive);
  }
  stream.Unwatch();
  simulator.Finish(ticket.index, CurrentMoment(), completed, stream.gone());
}

asio::awaitable<bool> AnswerElse(HttpStream& stream, const Simulator& simulator, const HttpRequest& request) {
  Reply reply;
  if (request.too_large) {
    reply = ErrorReply(413, ErrorObject("The request body is over 64 MiB.", "invalid_request_error", ""));
  } else if (request.path != "/v1/models") {
    const std::string message = fmt::format("Invalid URL ({} {})", request.method, request.path);
    reply = ErrorReply(404, ErrorObject(message, "invalid_request_error", ""));
  } else if (!simulator.Authorized(request.authorization)) {
    reply = UnauthorizedReply(request.authorization);
  } else {
    reply.body = simulator.ModelsBody();
  }
  const bool written = co_await stream.WriteWhole(HeadOf(reply, request.keep_alive), reply.body);
  co_return written;
}

}  // namespace

Moment CurrentMoment() { return {ClockNs(CLOCK_BOOTTIME), ClockNs(CLOCK_REALTIME) / 1'000'000}; }

asio::awaitable<void> ServeApi(std::shared_ptr<HttpStream> stream, Simulator& simulator) {
  bool open = true;
  while (open) {
    std::optional<HttpRequest> request = co_await stream->Read();
    if (!request) break;
    open = request->keep_alive && !request->too_large;
    const bool post = request->method == "POST" && !request->too_large;
    if (post && request->path == "/v1/responses") {
      co_await Generate(*stream, simulator, Dialect::kResponses, *std::move(request));
    } else if (post && request->path == "/v1/chat/completions") {
      co_await Generate(*stream, simulator, Dialect::kChat, *std::move(request));
    } else {
      const bool written = co_await AnswerElse(*stream, simulator, *request);
      open = open && written;
    }
    open = open && !stream->gone();
  }
  stream->Close();
}

asio::awaitable<void> ServeControl(std::shared_ptr<HttpStream> stream, Simulator& simulator) {
  bool open = true;
  while (open) {
    const std::optional<HttpRequest> request = co_await stream->Read();
    if (!request || request->too_large) break;
    ControlReply reply = HandleControl(simulator, request->method, request->path, request->body, CurrentMoment());
    HttpHead head;
    head.status = reply.status;
    head.keep_alive = request->keep_alive;
    const bool written = co_await stream->WriteWhole(std::move(head), reply.body);
    open = request->keep_alive && written;
  }
  stream->Close();
}

}  // namespace holdfast::simulator
