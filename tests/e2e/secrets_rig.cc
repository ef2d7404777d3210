#include "tests/e2e/secrets_rig.h"

#include <fmt/format.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <signal.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/rpc/channel.h"
#include "tests/e2e/pair.h"
#include "tests/support/http_call.h"

namespace holdfast::test {
namespace {

constexpr std::chrono::seconds kDeadline(60);

std::string ContentOf(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

SecretsRig::SecretsRig() {
  alpha_key_ = secrets_.Add("alpha's key", "sk-proj-" + RandomText(40));
  beta_key_ = secrets_.Add("beta's key", RandomText(16) + "/" + RandomText(16) + "+" + RandomText(12) + "==");
  team_a_ = secrets_.Add("team-a's token", RandomText(40));
  team_b_ = secrets_.Add("team-b's token", RandomText(40));
  agent_credential_ = secrets_.Add("agent_service's credential", RandomText(40));
  foreign_key_ = secrets_.Add("somebody's key", "sk-ant-api03-" + RandomText(40));
  foreign_token_ = secrets_.Add("somebody's token", RandomText(40));
  quota_config_ = folder_.Write("quota.yaml", fmt::format(R"(
upstreams:
  - {{name: alpha, base_url: "{0}", profile: openai, api_key: {{env: ALPHA_KEY}}}}
  - {{name: beta, base_url: "{0}", dialect: chat, api_key: {{file: "{1}"}}}}
models:
  - {{name: model-a, upstreams: [alpha]}}
  - {{name: model-b, upstreams: [beta]}}
tenants:
  - {{name: team-a, token: {{env: TEAM_A}}}}
  - {{name: team-b, token: {{file: "{2}"}}}}
services:
  - {{name: agent, token: {{env: AGENT_CREDENTIAL}}}}
)",
                                                          hostile_.url(), folder_.Write("beta.secret", beta_key_),
                                                          folder_.Write("team-b.secret", team_b_)));
  agent_config_ = folder_.Write("agent.yaml", fmt::format("quota: {{credential: {{file: \"{}\"}}}}\n",
                                                          folder_.Write("agent.secret", agent_credential_)));
  for (const char* name : {"quota", "agent", "cli", "workspace"}) std::filesystem::create_directory(folder_.path(name));
}

std::map<std::string, std::string> SecretsRig::Loud(std::map<std::string, std::string> more) {
  more.insert({{"HOLDFAST_LOG", "trace"}, {"GRPC_VERBOSITY", "debug"}, {"GRPC_TRACE", "all"}});
  return more;
}

void SecretsRig::StartServices() {
  StartQuota();
  StartAgent();
}

void SecretsRig::StartQuota() {
  Process::Options options;
  options.environment = Loud({{"ALPHA_KEY", alpha_key_}, {"TEAM_A", team_a_}, {"AGENT_CREDENTIAL", agent_credential_}});
  options.folder = folder_.path("quota");
  quota_ = std::make_unique<Process>(
      std::vector<std::string>{Program("quota_service"), "--config", quota_config_, "--grpc", quota_grpc_, "--http",
                               "127.0.0.1:0", "--metrics", "127.0.0.1:0"},
      options);
  const auto line = quota_->WaitForLine(Process::Stream::kErr, "listening: grpc");
  ASSERT_TRUE(line) << quota_->err();
  quota_grpc_ = AddressIn(*line, "grpc ");
  quota_http_ = AddressIn(*line, "http ");
  quota_metrics_ = AddressIn(*line, "metrics ");
}

void SecretsRig::StartAgent() {
  Process::Options options;
  options.environment = Loud();
  options.folder = folder_.path("agent");
  agent_ = std::make_unique<Process>(
      std::vector<std::string>{Program("agent_service"), "--config", agent_config_, "--grpc", agent_grpc_, "--metrics",
                               "127.0.0.1:0", "--quota", quota_grpc_, "--store",
                               "sqlite:" + folder_.path("agent/sessions.db")},
      options);
  const auto line = agent_->WaitForLine(Process::Stream::kErr, "listening: grpc");
  ASSERT_TRUE(line) << agent_->err();
  agent_grpc_ = AddressIn(*line, "grpc ");
  agent_metrics_ = AddressIn(*line, "metrics ");
}

std::unique_ptr<Process> SecretsRig::Cli(const std::vector<std::string>& arguments, const std::string& token,
                                         const std::string& input) {
  std::vector<std::string> command = {Program("holdfast")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  Process::Options options;
  options.environment = Loud({{"HOLDFAST_AGENT", agent_grpc_},
                              {"HOLDFAST_QUOTA", quota_grpc_},
                              {"HOLDFAST_TOKEN", token},
                              {"XDG_STATE_HOME", folder_.path("cli/state")}});
  options.folder = folder_.path("cli");
  options.input = input;
  return std::make_unique<Process>(command, options);
}

int SecretsRig::RunCli(const std::vector<std::string>& arguments, const std::string& token, const std::string& input) {
  const auto cli = Cli(arguments, token, input);
  const auto code = cli->WaitForExit();
  EXPECT_TRUE(code) << cli->err();
  Keep(fmt::format("standard output of holdfast {}", fmt::join(arguments, " ")), cli->out());
  Keep(fmt::format("standard error of holdfast {}", fmt::join(arguments, " ")), cli->err());
  return code.value_or(-1);
}

int SecretsRig::Exec(const std::string& prompt, const std::string& model, const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {
      "exec", "-", "--cwd", folder_.path("workspace"), "--approve", "full", "--max-wait", "20s", "--model", model};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return RunCli(arguments, team_a_, prompt);
}

grpc::Status SecretsRig::Generate(const std::string& prompt, const std::string& model, const std::string& token,
                                  double max_wait_seconds) {
  const auto stub = quota::v1::QuotaService::NewStub(MakeChannel(*ParseAddress(quota_grpc_)));
  quota::v1::GenerateRequest request;
  request.set_call_id(fmt::format("call-{}", ++calls_));
  request.set_model(model);
  auto* message = request.add_items()->mutable_message();
  message->set_role(quota::v1::ROLE_USER);
  message->add_parts()->set_text(prompt);
  request.mutable_max_wait()->set_seconds(static_cast<int64_t>(max_wait_seconds));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kDeadline);
  SetBearerToken(context, token);
  const auto stream = stub->Generate(&context, request);
  quota::v1::GenerateEvent event;
  while (stream->Read(&event)) Keep("an event of Generate of " + prompt, event.SerializeAsString());
  const grpc::Status status = stream->Finish();
  KeepStatus("the status of Generate of " + prompt, status);
  for (const auto& [key, value] : context.GetServerInitialMetadata()) {
    Keep("the metadata of Generate of " + prompt, std::string(value.data(), value.size()));
  }
  return status;
}

void SecretsRig::InspectQuota(const std::string& token) {
  const auto channel = MakeChannel(*ParseAddress(quota_grpc_));
  const auto stub = quota::v1::QuotaService::NewStub(channel);
  const auto ask = [&](const std::string& name, const auto& request, auto response, auto method) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kDeadline);
    SetBearerToken(context, token);
    KeepStatus(name, (stub.get()->*method)(&context, request, &response));
    Keep(name, response.SerializeAsString());
  };
  using Stub = quota::v1::QuotaService::Stub;
  for (const char* model : {"model-a", "model-b", "unheard-of"}) {
    quota::v1::GetModelRequest get_model;
    get_model.set_model(model);
    ask("GetModel", get_model, quota::v1::GetModelResponse(), &Stub::GetModel);
    quota::v1::GetHeadroomRequest get_headroom;
    get_headroom.set_model(model);
    ask("GetHeadroom", get_headroom, quota::v1::GetHeadroomResponse(), &Stub::GetHeadroom);
  }
  quota::v1::CancelCallRequest cancel;
  cancel.set_call_id("nobody's");
  ask("CancelCall", cancel, quota::v1::CancelCallResponse(), &Stub::CancelCall);
  ask("WhoAmI", quota::v1::WhoAmIRequest(), quota::v1::WhoAmIResponse(), &Stub::WhoAmI);

  grpc::ClientContext watching;
  watching.set_deadline(std::chrono::system_clock::now() + kDeadline);
  SetBearerToken(watching, token);
  const auto watch = stub->WatchStatus(&watching, {});
  quota::v1::WatchStatusResponse status;
  if (watch->Read(&status)) Keep("WatchStatus", status.SerializeAsString());
  watching.TryCancel();
  KeepStatus("WatchStatus", watch->Finish());
  Reflect(channel);
}

void SecretsRig::Reflect(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::GenericStub stub(channel);
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kDeadline);
  const auto await = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  const auto stream =
      stub.PrepareCall(&context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  stream->StartCall(nullptr);
  ASSERT_TRUE(await());
  // ServerReflectionRequest: list_services (7) "*", and file_containing_symbol (4).
  const std::string symbol = "holdfast.quota.v1.QuotaService";
  for (const std::string& request :
       {std::string("\x3a\x01*"), std::string("\x22").append(1, static_cast<char>(symbol.size())).append(symbol)}) {
    const grpc::Slice slice(request);
    stream->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    ASSERT_TRUE(await());
    grpc::ByteBuffer answer;
    stream->Read(&answer, nullptr);
    ASSERT_TRUE(await());
    std::vector<grpc::Slice> slices;
    ASSERT_TRUE(answer.Dump(&slices).ok());
    std::string bytes;
    for (const grpc::Slice& one : slices) bytes.append(reinterpret_cast<const char*>(one.begin()), one.size());
    EXPECT_NE(bytes.find(symbol), std::string::npos);
    Keep("reflection", bytes);
  }
  grpc::Status status;
  context.TryCancel();
  stream->Finish(&status, nullptr);
  await();
}

void SecretsRig::KeepStatus(const std::string& where, const grpc::Status& status) {
  Keep(where, status.error_message());
  Keep(where + ", details", status.error_details());
}

void SecretsRig::KeepHttp(const std::string& url) {
  const auto reply = HttpCall("GET", url);
  ASSERT_TRUE(reply.ok()) << url;
  Keep(url, reply->body);
}

void SecretsRig::KeepEverything() {
  for (const char* path : {"/healthz", "/readyz", "/", "/v1/models", "/no-such-page"}) {
    KeepHttp("http://" + quota_http_ + path);
  }
  for (const std::string& address : {quota_metrics_, agent_metrics_}) KeepHttp("http://" + address + "/metrics");
  for (const auto& [name, process] :
       {std::pair("quota_service", quota_.get()), std::pair("agent_service", agent_.get())}) {
    Keep(std::string(name) + "'s log", process->err());
    Keep(std::string(name) + "'s standard output", process->out());
    Keep(std::string(name) + "'s command line", ContentOf(fmt::format("/proc/{}/cmdline", process->pid())));
  }
  int files = 0;
  for (const char* name : {"quota", "agent", "cli", "workspace"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path(name))) {
      if (!entry.is_regular_file()) continue;
      ++files;
      Keep(entry.path(), ContentOf(entry.path()));
    }
  }
  EXPECT_GE(files, 1) << "at least the database";
}

std::string SecretsRig::CoreOf(Process& process, const std::string& folder) {
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  prlimit(process.pid(), RLIMIT_CORE, &unlimited, nullptr);
  process.Signal(SIGABRT);
  EXPECT_EQ(process.WaitForExit(), 128 + SIGABRT);
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path(folder))) {
    if (entry.path().filename().string().starts_with("core")) return ContentOf(entry.path());
  }
  return {};
}

void SecretsRig::ExpectNothingLeaked() const {
  for (const auto& [where, text] : kept_) {
    for (const std::string& found : secrets_.FindIn(text)) ADD_FAILURE() << where << " has " << found;
  }
}

}  // namespace holdfast::test
