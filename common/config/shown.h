#pragma once

#include <string>

namespace holdfast {

// How errors call what a configuration names, where somebody may have written a secret instead.

// "the file PATH"; "the file that is named here" where that does not look like a path.
std::string ShownFile(const std::string& path);
// A URL's scheme, and nothing of user, password and host: "redis:…" in quotes; "what is given" where it has none.
std::string ShownUrl(const std::string& url);

}  // namespace holdfast
