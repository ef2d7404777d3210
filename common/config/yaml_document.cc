#include "common/config/yaml_document.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <sstream>

namespace holdfast {
namespace {

// Where the documents of a text begin, and nothing of what they say.
class DocumentStarts final : public YAML::EventHandler {
 public:
  const YAML::Mark& last() const { return last_; }

  void OnDocumentStart(const YAML::Mark& mark) override { last_ = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

 private:
  YAML::Mark last_;
};

}  // namespace

int LineOf(const YAML::Mark& mark) { return std::max(mark.line, 0) + 1; }

absl::StatusOr<YAML::Node> LoadYamlDocument(const std::string& text, const std::string& name) {
  try {
    // Not YAML::LoadAll: the parser gives the same document for ever where it stands before something that begins none,
    // such as a comma (yaml-cpp issue 1040).
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    DocumentStarts starts;
    if (!parser.HandleNextDocument(starts)) return YAML::Node();
    const YAML::Mark first = starts.last();
    if (parser.HandleNextDocument(starts)) {
      const YAML::Mark second = starts.last();
      return absl::InvalidArgumentError(
          second.pos == first.pos ? fmt::format("{}:{}: not valid YAML: no value begins like this", name, LineOf(first))
                                  : fmt::format("{}:{}: a second document begins here; the file must be one mapping",
                                                name, LineOf(second)));
    }
    return YAML::Load(text);
  } catch (const YAML::Exception& e) {
    return absl::InvalidArgumentError(fmt::format("{}:{}: not valid YAML: {}", name, LineOf(e.mark), e.msg));
  }
}

}  // namespace holdfast
