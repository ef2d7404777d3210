#pragma once

#include "clients/cli/tools/unique_fd.h"

namespace holdfast::cli {

// Ends running tools early. Any thread; Cancel may also be called in a signal handler.
class CancelToken {
 public:
  CancelToken();

  void Cancel() const;
  bool cancelled() const;
  // Readable once cancelled, for poll(2). -1 where the system has no descriptor left.
  int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;  // an eventfd, never read
};

}  // namespace holdfast::cli
