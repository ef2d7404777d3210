#pragma once

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "bench/policies/play.h"

namespace holdfast::bench {

// "least–most" of a value over the seeds; one number where they print alike. `digits` after the point.
std::string RangeOf(const std::vector<Result>& seeds, const std::function<double(const Result&)>& value, int digits);

// A Markdown table, one row a policy.
struct Row {
  std::string policy;
  std::vector<Result> seeds;
};
std::string TableOf(const std::vector<Row>& rows);
// How changed limits were learnt, one line each; empty where none was changed.
std::string LessonsOf(const std::vector<Row>& rows);

// One line a call, for pictures. Times in seconds since the beginning.
class CallLog {
 public:
  // `file` outlives this.
  explicit CallLog(std::FILE* file);
  void Add(const std::string& scenario, const std::string& policy, uint64_t seed, const Call& call);

 private:
  std::FILE* file_;
};

}  // namespace holdfast::bench
