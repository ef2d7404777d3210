#pragma once

#include <CLI/App.hpp>
#include <optional>
#include <string>

#include "common/base/address.h"

namespace holdfast {

// A command-line option for an address, checked while the line is read, so that the error names the flag.
inline void AddAddressFlag(CLI::App& app, const std::string& flag, std::optional<Address>& into,
                           const std::string& doc) {
  const auto parse = [&into, flag](const std::string& text) {
    const auto address = ParseAddress(text);
    if (!address.ok()) throw CLI::ValidationError(flag, std::string(address.status().message()));
    into = *address;
  };
  app.add_option_function<std::string>(flag, parse, doc)->type_name("ADDR");
}

}  // namespace holdfast
