#include "cli/finding_view.h"

namespace holdfast::cli {

std::string finding_json(const flow::Finding& finding, const char* type) {
  JsonObject object;
  if (type != nullptr) object.add("message_type", type);
  object.add("severity", flow::word(finding.severity)).add("kind", finding.kind);
  object.add("object", finding.object).add("snapshots", finding.snapshots);
  return object.add("message", finding.text).add("wanted", finding.wanted).text();
}

std::string findings_json(const std::vector<flow::Finding>& findings) {
  std::vector<std::string> out;
  for (const flow::Finding& finding : findings) out.push_back(finding_json(finding));
  return json_array(out);
}

}  // namespace holdfast::cli
