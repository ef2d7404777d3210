// A runner for tests of the library: what `holdfast run-command` is, without gRPC.
#include "clients/cli/tools/runner.h"

int main() { return holdfast::cli::RunAsRunner(); }
