#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace holdfast {

// A file's bytes, without reading them all into memory. Empty: there is none, or it cannot be read. Nobody may cut the
// file meanwhile.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const {
    return bytes_ == nullptr ? std::string_view() : std::string_view(static_cast<const char*>(bytes_), size_);
  }

 private:
  void* bytes_ = nullptr;
  size_t size_ = 0;
};

}  // namespace holdfast
