#include "auth/principal.h"

#include "absl/status/status.h"
#include "json/value.h"
#include "json/write.h"

namespace god33::auth {
namespace {

constexpr char kSubject[] = "x-god33-subject";
constexpr char kProjects[] = "x-god33-projects";

}  // namespace

Metadata ToMetadata(const Principal& principal) {
  std::string projects = "*";
  if (!principal.all_projects) {
    projects.clear();
    json::Writer writer(projects);
    writer.BeginArray();
    for (const std::string& project : principal.projects) writer.String(project);
    writer.EndArray();
  }
  return {{kSubject, principal.subject}, {kProjects, projects}};
}

absl::StatusOr<Principal> FromMetadata(const std::multimap<std::string, std::string>& metadata) {
  Principal principal;
  if (const auto subject = metadata.find(kSubject); subject != metadata.end()) {
    principal.subject = subject->second;
  }
  const auto projects = metadata.find(kProjects);
  if (projects == metadata.end() || projects->second == "*") return principal;
  const auto list = json::Value::Parse(projects->second);
  if (!list.ok() || list->kind() != json::Kind::kArray) {
    return absl::UnauthenticatedError("x-god33-projects: expected \"*\" or a JSON array of names");
  }
  principal.all_projects = false;
  for (const json::Value project : list->elements()) {
    if (!project.is_string()) {
      return absl::UnauthenticatedError("x-god33-projects: expected names");
    }
    principal.projects.push_back(project.ToString());
  }
  return principal;
}

}  // namespace god33::auth
