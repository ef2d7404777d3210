#include <csignal>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "boost/asio/io_context.hpp"
#include "boost/asio/signal_set.hpp"
#include "boost/json/object.hpp"
#include "boost/json/serialize.hpp"
#include "tests/upstream_simulator/api_session.h"
#include "tests/upstream_simulator/http_server.h"
#include "tests/upstream_simulator/script.h"
#include "tests/upstream_simulator/simulator.h"

namespace holdfast::simulator {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

struct Flags {
  std::string listen = "127.0.0.1:0";
  std::string control = "127.0.0.1:0";
  std::string script;
  std::optional<std::string> api_key;
};

absl::StatusOr<Script> LoadScript(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return absl::NotFoundError("cannot read it");
  return ParseScript(text.str());
}

int Complain(const std::string& what, const absl::Status& status) {
  std::cerr << "upstream_simulator: " << what << ": " << std::string(status.message()) << "\n";
  return kFailed;
}

int Run(const Flags& flags) {
  Simulator simulator(flags.api_key, CurrentMoment());
  if (!flags.script.empty()) {
    absl::StatusOr<Script> script = LoadScript(flags.script);
    if (!script.ok()) return Complain(flags.script, script.status());
    simulator.Load(*std::move(script), CurrentMoment());
  }

  boost::asio::io_context io(1);
  boost::asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([&io](const boost::system::error_code&, int) { io.stop(); });
  HttpServer server(io, simulator);
  if (absl::Status status = server.Listen(flags.listen, flags.control); !status.ok()) return Complain("start", status);
  const boost::json::object urls{{"url", server.ApiUrl()}, {"control", server.ControlUrl()}};
  std::cout << boost::json::serialize(urls) << std::endl;
  io.run();
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app("An OpenAI-like HTTP upstream for tests: scripted answers, exact limits, faults on demand.",
               "upstream_simulator");
  app.set_version_flag("--version", "upstream_simulator " HOLDFAST_SIMULATOR_VERSION);
  Flags flags;
  app.add_option("--listen", flags.listen, "Address of the API face; port 0 takes any free one")->capture_default_str();
  app.add_option("--control", flags.control, "Address of the control face")->capture_default_str();
  app.add_option("--script", flags.script, "JSON file with limits and answers");
  app.add_option("--api-key", flags.api_key, "The only key that is accepted; without it, any");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  return Run(flags);
}

}  // namespace
}  // namespace holdfast::simulator

int main(int argc, char** argv) { return holdfast::simulator::Main(argc, argv); }
