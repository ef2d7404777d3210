#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace holdfast::test {

// What a process holds at one moment, as /proc tells it.
struct ProcessSample {
  int64_t calls = 0;     // made so far
  int64_t rss_kib = 0;   // VmRSS
  int64_t heap_kib = 0;  // anonymous memory that is its own
  int64_t descriptors = 0;
  int64_t threads = 0;
};

ProcessSample SampleOf(pid_t pid, int64_t calls);

// Flat: after the first quarter, which warms up, the least-squares line of memory over calls rises by less than 5 % and
// less than 8 MiB (or less than 1 MiB, whatever its share) to the end, and descriptors and threads are at the end what
// they were then, give or take `slack` (the connections that are kept open, or not, between two rounds of calls).
// Otherwise what grew, in words; empty: flat.
std::string WhatGrew(const std::vector<ProcessSample>& samples, int64_t slack);

// A table with one line a sample.
std::string TableOf(const std::vector<ProcessSample>& samples);

}  // namespace holdfast::test
