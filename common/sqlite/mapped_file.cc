#include "common/sqlite/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace holdfast {

MappedFile::MappedFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info {};
  if (fd >= 0 && fstat(fd, &info) == 0 && info.st_size > 0) {
    size_ = static_cast<size_t>(info.st_size);
    bytes_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes_ == MAP_FAILED) bytes_ = nullptr;
  }
  if (fd >= 0) close(fd);
}

MappedFile::~MappedFile() {
  if (bytes_ != nullptr) munmap(bytes_, size_);
}

}  // namespace holdfast
