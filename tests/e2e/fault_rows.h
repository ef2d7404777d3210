#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace holdfast::test {

// When a fault strikes: the first request of a turn, unless it says otherwise.
enum class Moment {
  kBeforeHeaders,
  kAfterHeaders,  // and before any output
  kReasoning,     // in the middle of it
  kOutput,        // in the middle of the answer's text
  kArguments,     // in the middle of a tool call's
  kSecondRequest  // of a turn with a tool call: before headers, or in the middle of the answer's text
};

std::string_view MomentWords(Moment moment);

// What one fault must come to.
struct Outcome {
  int exit_code = 0;
  // Requests that the upstream gets for the model call that the fault strikes.
  int calls = 2;
  // What standard error must hold: the cause, and for what does not help itself the remedy.
  std::vector<std::string_view> says{};
};

// A kind of fault. In a stream it has all moments but kBeforeHeaders, else only kBeforeHeaders and kSecondRequest.
struct FaultKind {
  std::string_view words;
  std::string_view name;  // at the simulator; empty: nobody listens
  bool in_stream = false;
  int times = 1;  // how often it strikes
  Outcome outcome;
  int seconds = 1;              // that a refusal names
  std::string_view max_wait{};  // of the turn, where it is not the default; for the refused: nobody comes back by then

  bool refused() const { return name.empty(); }
};

struct FaultRow {
  const FaultKind* kind;
  Moment moment;
  std::string dialect;

  // A name for tests, accounts and models.
  std::string Name() const;
  // A turn with a tool call, of two model calls.
  bool with_tool() const { return moment == Moment::kArguments || moment == Moment::kSecondRequest; }
};

// Every fault at every moment that it has, in both dialects.
std::vector<FaultRow> FaultRows();

}  // namespace holdfast::test
