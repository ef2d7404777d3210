#pragma once

#include <string>

#include "absl/status/status.h"

namespace holdfast::cli {

// Gives the file `from` the name `to`, in the same folder, durably: what was written is under it after a crash, too.
// `force`: in place of the file that has this name. Without: what has it stays, also what got it a moment ago, and that
// is ALREADY_EXISTS. `from` may still be there where it fails. The message is for the user. Blocks.
absl::Status PutInPlace(const std::string& from, const std::string& to, bool force);

// As PutInPlace without force, on file systems that cannot rename without replacing (NFS, for one): by a second name
// for the file, which is never given in place of another.
absl::Status LinkInPlace(const std::string& from, const std::string& to);

}  // namespace holdfast::cli
