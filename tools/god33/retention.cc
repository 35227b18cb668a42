#include "tools/god33/retention.h"

#include <memory>
#include <optional>
#include <vector>

#include "base/strings.h"
#include "god33/store/v1/retention.grpc.pb.h"
#include "tools/god33/api_client.h"
#include "tools/god33/arguments.h"
#include "tools/god33/printer.h"
#include "tools/god33/projection_view.h"
#include "tools/god33/watch.h"

namespace god33::cli {
namespace {

namespace v1 = store::v1;

using Client = ServiceClient<v1::RetentionService>;

std::string Kept(int months) {
  if (months == 0) return "all months";
  return StrCat(months, months == 1 ? " complete month" : " complete months",
                " and the current one");
}

std::string PlanText(const v1::GetRetentionResponse& plan, const Screen& screen) {
  Details details;
  details.Add("configured", Kept(plan.configured_months()));
  if (plan.months() != plan.configured_months()) details.Add("if_kept", Kept(plan.months()));
  details.Add("horizon", StrCat(plan.horizon()));
  details.Add("dropped_months", StrCat(plan.dropped_months()));
  details.Add("due", StrCat(plan.due_events(), " events, ", plan.due_bytes(), " bytes"));
  if (plan.has_job()) {
    const v1::ProjectionJob& job = plan.job();
    details.Add("newest_job", StrCat(job.month(), ", ", job.state(), ", ", ProgressOf(job),
                                     job.state() == "failed" ? StrCat(", ", job.error()) : ""));
  }
  std::vector<Row> rows;
  for (const v1::RetentionMonth& month : plan.log()) {
    std::string waits;
    for (const v1::RetentionHold& hold : month.holds()) {
      StrAppend(&waits, waits.empty() ? "" : "; ", hold.reason(), ": ", hold.detail());
    }
    rows.push_back({month.month(), month.due() ? "drop" : "keep", StrCat(month.first_position()),
                    StrCat(month.last_position()), StrCat(month.events()), StrCat(month.bytes()),
                    waits});
  }
  Table table({{"MONTH"},
               {"PLAN"},
               {"FIRST", true},
               {"LAST", true},
               {"EVENTS", true},
               {"BYTES", true},
               {"WAITS FOR"}},
              screen);
  return StrCat(details.Render(), "\n", table.Render(rows));
}

absl::Status ShowPlan(std::optional<int> months, Session& session) {
  Client client(EventStoreManager(), session.options.timeout);
  v1::GetRetentionRequest request;
  if (months) request.set_months(*months);
  const auto plan = client.Call(&Client::Stub::GetRetention, request);
  if (!plan.ok()) return plan.status();
  return PrintMessage(session.paper, *plan, [&] { return PlanText(*plan, session.paper.screen); });
}

}  // namespace

void AddRetentionCommands(CLI::App& root, Command& chosen) {
  CLI::App& noun = AddNoun(root, "retention", "Which months of the log are dropped");
  CLI::App& plan =
      AddCommand(noun, "plan", "Which months would go, what they hold, and what still needs them",
                 "Changes nothing: months are dropped by event-store-manager alone, when "
                 "GOD33_RETENTION_MONTHS says so.\n"
                 "\n"
                 "Examples:\n"
                 "  god33 retention plan\n"
                 "  god33 retention plan --months 12\n"
                 "  god33 retention plan -o json | jq '.log[] | select(.due)'");
  const auto months = std::make_shared<std::optional<int>>();
  plan.add_option("--months", *months,
                  "As if so many complete months were kept; default: what is configured")
      ->check(CLI::Range(1, 1200).description(""))
      ->type_name("1-1200");
  const auto watch = AddWatch(plan);
  plan.callback([months, watch, &chosen] {
    chosen = Watched(*watch, [months](Session& session) { return ShowPlan(*months, session); });
  });
}

}  // namespace god33::cli
