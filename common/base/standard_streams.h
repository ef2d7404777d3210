#pragma once

namespace holdfast {

// For the first line of main: standard input, output and error that whoever started us has closed are opened on
// /dev/null. Otherwise the next file or socket would get such a number, and be read, or printed into. Reading then
// finds the end, writing to standard output fails, and what goes to standard error is lost.
void HoldStandardStreams();

}  // namespace holdfast
