#include "services/event-store-manager/projection_diff.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/str_join.h"
#include "base/strings.h"

namespace god33::manager {
namespace {

struct Table {
  std::string_view name;
  std::string_view keys;
  std::string_view id;
  std::vector<std::string_view> columns;  // but the keys
};

const Table& Workflows() {
  static const Table table = {
      "workflow_state",
      "workflow_id",
      "workflow_id",
      {"project_name", "current_phase", "current_agent", "started_at", "updated_at", "completed_at",
       "metadata", "correlation_ids", "phase_history", "agent_handoffs", "version", "position"}};
  return table;
}

const Table& Sessions() {
  static const Table table = {"agent_sessions",
                              "session_id",
                              "session_id",
                              {"agent_type", "agent_instance_id", "checkpoint_id", "workflow_id",
                               "started_at", "last_active_at", "completed_at", "status", "metadata",
                               "project_name", "version", "position"}};
  return table;
}

// How often a fold was tried, and when, is no function of the log.
const Table& Failures() {
  static const Table table = {
      "fold_failures", "projection, aggregate_id", "aggregate_id", {"since", "position", "error"}};
  return table;
}

const std::vector<std::string_view>& ColumnsOf(std::string_view table) {
  for (const Table* known : {&Workflows(), &Sessions()}) {
    if (known->name == table) return known->columns;
  }
  return Failures().columns;
}

// The rows of a table in one schema, the columns as an array of text: "=" before a value, nothing for null.
std::string RowsIn(std::string_view schema, const Table& table, const std::string& where) {
  const std::string columns =
      absl::StrJoin(table.columns, ", ", [](std::string* out, std::string_view column) {
        StrAppend(out, "coalesce('=' || ", column, "::text, '')");
      });
  return StrCat("(SELECT ", table.keys, ", ARRAY[", columns, "] AS c FROM ", schema, ".",
                table.name, where, ")");
}

std::string Comparison(const Table& table, const std::string& where) {
  return StrCat("SELECT '", table.name, "'::text, ", table.id,
                ", CASE WHEN l.c IS NULL THEN 'added' WHEN f.c IS NULL THEN 'removed'"
                " WHEN l.c <> f.c THEN 'changed' END,"
                " CASE WHEN l.c <> f.c THEN l.c END, CASE WHEN l.c <> f.c THEN f.c END FROM ",
                RowsIn("public", table, where), " AS l FULL JOIN ", RowsIn("shadow", table, where),
                " AS f USING (", table.keys, ")");
}

std::string Comparison(const ProjectionScope& scope) {
  if (scope.all()) {
    return StrCat(Comparison(Workflows(), ""), " UNION ALL ", Comparison(Sessions(), ""),
                  " UNION ALL ", Comparison(Failures(), ""));
  }
  const Table& table = scope.workflow ? Workflows() : Sessions();
  const std::string id = (scope.workflow ? *scope.workflow : *scope.session).ToString();
  return StrCat(Comparison(table, StrCat(" WHERE ", table.keys, " = '", id, "'")), " UNION ALL ",
                Comparison(Failures(),
                           StrCat(" WHERE projection = '", scope.workflow ? "workflow" : "session",
                                  "' AND aggregate_id = '", id, "'")));
}

// Both sides are read in the order of their keys, and nothing is gathered first.
constexpr char kBegin[] =
    "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; "
    "SET LOCAL enable_hashjoin = off; SET LOCAL enable_sort = off; "
    "DECLARE projection_differences_found NO SCROLL CURSOR FOR ";

constexpr pg::Statement kFetch = {"fetch_projection_differences",
                                  "FETCH 2000 FROM projection_differences_found"};

std::optional<std::string> ValueOf(std::string_view cell) {
  if (cell.empty()) return std::nullopt;
  cell.remove_prefix(1);
  if (cell.size() <= ProjectionDiff::kMostValueBytes) return std::string(cell);
  return StrCat(Clip(cell, ProjectionDiff::kMostValueBytes), " ...");
}

}  // namespace

absl::StatusOr<ProjectionDiff> ProjectionDiff::Begin(pg::Connection& connection,
                                                     const ProjectionScope& scope) {
  absl::Status status = connection.Execute(StrCat(kBegin, Comparison(scope)));
  if (!status.ok()) return status;
  return ProjectionDiff(connection);
}

absl::StatusOr<bool> ProjectionDiff::Next() {
  const auto rows = connection_->Query(kFetch);
  if (!rows.ok()) return rows.status();
  for (int i = 0; i < rows->rows(); ++i) Add(*rows, i);
  return rows->rows() > 0;
}

absl::Status ProjectionDiff::End() {
  return connection_->Commit();
}

void ProjectionDiff::Add(const pg::Result& rows, int row) {
  ++counts_.checked;
  if (rows.IsNull(row, 2)) return;
  const std::string table(rows.Bytes(row, 0));
  const std::string difference(rows.Bytes(row, 2));
  ++(difference == "added"     ? counts_.added
     : difference == "removed" ? counts_.removed
                               : counts_.changed);
  const auto list = [&](std::string_view column, std::optional<std::string> live,
                        std::optional<std::string> folded) {
    if (found_.size() == kMostListed) return;
    found_.push_back({.table = table,
                      .id = rows.Id(row, 1),
                      .difference = difference,
                      .column = std::string(column),
                      .live = std::move(live),
                      .folded = std::move(folded)});
  };
  if (difference != "changed") return list("", std::nullopt, std::nullopt);
  const std::vector<std::string_view> live = rows.Texts(row, 3);
  const std::vector<std::string_view> folded = rows.Texts(row, 4);
  const std::vector<std::string_view>& columns = ColumnsOf(table);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (live[i] != folded[i]) list(columns[i], ValueOf(live[i]), ValueOf(folded[i]));
  }
}

}  // namespace god33::manager
