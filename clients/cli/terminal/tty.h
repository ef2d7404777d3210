#pragma once

namespace holdfast::cli {

bool IsTerminal(int fd);

// Columns of the terminal behind `fd`; 80 where that is unknown.
int TerminalColumns(int fd);

// `fd` is a terminal that takes colours, and NO_COLOR (no-color.org) is absent or empty.
bool ColourAllowed(int fd);

}  // namespace holdfast::cli
