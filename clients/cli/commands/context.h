#pragma once

#include "clients/cli/commands/command_line.h"
#include "clients/cli/terminal/interrupts.h"
#include "clients/cli/terminal/screen.h"

namespace holdfast::cli {

// What every command gets. Nothing is owned.
struct Context {
  const Services& services;
  Screen& screen;
  Interrupts& interrupts;
};

}  // namespace holdfast::cli
