#include "clients/cli/tools/output_buffer.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/utf8.h"

namespace holdfast::cli {
namespace {

constexpr size_t kKeep = 31 * 1024;  // each of head and tail

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Without a code point at the end that the cut left incomplete.
std::string_view WithoutCutEnd(std::string_view head) {
  for (size_t back = 1; back <= 3 && back <= head.size(); ++back) {
    const char c = head[head.size() - back];
    if (IsContinuation(c)) continue;
    const auto lead = static_cast<unsigned char>(c);
    const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    return length > back ? head.substr(0, head.size() - back) : head;
  }
  return head;
}

std::string_view WithoutCutBegin(std::string_view tail) {
  size_t begin = 0;
  while (begin < 3 && begin < tail.size() && IsContinuation(tail[begin])) ++begin;
  return tail.substr(begin);
}

}  // namespace

void OutputBuffer::Append(std::string_view bytes) {
  const size_t to_head = std::min(bytes.size(), kKeep - head_.size());
  head_.append(bytes.substr(0, to_head));
  bytes.remove_prefix(to_head);
  if (bytes.size() > kKeep) {
    forgotten_ += static_cast<int64_t>(tail_.size() + bytes.size() - kKeep);
    tail_.assign(bytes.substr(bytes.size() - kKeep));
    return;
  }
  tail_.append(bytes);
  if (tail_.size() <= 2 * kKeep) return;
  forgotten_ += static_cast<int64_t>(tail_.size() - kKeep);
  tail_.erase(0, tail_.size() - kKeep);
}

std::string OutputBuffer::Text() const {
  const size_t surplus = tail_.size() > kKeep ? tail_.size() - kKeep : 0;
  const int64_t omitted = forgotten_ + static_cast<int64_t>(surplus);
  if (omitted == 0) return RepairUtf8(head_ + tail_);
  const std::string_view head = WithoutCutEnd(head_);
  const std::string_view tail = WithoutCutBegin(std::string_view(tail_).substr(surplus));
  const size_t cut = head_.size() - head.size() + tail_.size() - surplus - tail.size();
  return fmt::format("{}\n[… {} bytes left out …]\n{}", RepairUtf8(head), omitted + static_cast<int64_t>(cut),
                     RepairUtf8(tail));
}

}  // namespace holdfast::cli
