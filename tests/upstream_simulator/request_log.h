#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "boost/json/object.hpp"
#include "tests/upstream_simulator/charge.h"

namespace holdfast::simulator {

// What the simulator, as the judge, remembers of one generation request.
struct Record {
  std::string path;
  std::optional<GenerationRequest> request;  // absent: it could not be read
  std::string body;
  bool body_dropped = false;
  std::string body_sha256;
  std::optional<std::int64_t> used_before;  // of the limit on tokens, when the request had arrived
  std::optional<std::int64_t> limit;
  bool admitted = false;
  std::optional<unsigned> status;  // absent: no status line yet, or never
  std::string fault;
  std::optional<std::int64_t> wait_ms;  // what the refusal named
  std::int64_t boot_ns = 0;             // CLOCK_BOOTTIME when the whole request had arrived
  std::int64_t wall_ms = 0;
  bool completed = false;  // the whole answer was written
  bool client_gone = false;
  std::optional<std::int64_t> ended_boot_ns;  // CLOCK_BOOTTIME when the answer, or the connection, had ended
  std::optional<std::int64_t> earliest_boot_ns;
};

// Records by index; an index is never given twice. Of the bodies, the newest 512 MiB are kept.
class RequestLog {
 public:
  std::int64_t Add(Record record);
  // Null after Forget.
  Record* Find(std::int64_t index);
  void Forget();

  // {"requests":[…],"in_flight":n}
  boost::json::object Json(std::int64_t in_flight) const;

 private:
  std::map<std::int64_t, Record> records_;
  std::int64_t next_ = 0;
  std::int64_t oldest_body_ = 0;
  std::size_t body_bytes_ = 0;
};

}  // namespace holdfast::simulator
