#include "services/letta-bridge/tool_journal.h"

#include <utility>

namespace god33::letta {
namespace {

constexpr pg::Statement kBegin = {"letta_begin_call", R"sql(
  INSERT INTO letta_tool_calls (task_id, call_id, epoch, checkpoint, tool, arguments)
  VALUES ($1::uuid, $2::text, $3::bigint, $4::bigint, $5::text, $6::json))sql"};

constexpr pg::Statement kFindLost = {"letta_find_lost_call", R"sql(
  UPDATE letta_tool_calls SET call_id = $2::text, epoch = $3::bigint, checkpoint = $4::bigint, lost = false
  WHERE task_id = $1::uuid AND call_id = (
    SELECT call_id FROM letta_tool_calls
    WHERE task_id = $1::uuid AND lost AND tool = $5::text AND arguments::text = $6::text
    ORDER BY begun_at LIMIT 1)
  RETURNING result, is_error)sql"};

constexpr pg::Statement kLose = {"letta_lose_calls", R"sql(
  UPDATE letta_tool_calls SET lost = true
  WHERE task_id = $1::uuid AND checkpoint >= $2::bigint AND NOT lost)sql"};

constexpr pg::Statement kLost = {"letta_lost_calls", R"sql(
  SELECT tool, arguments, result FROM letta_tool_calls WHERE task_id = $1::uuid AND lost
  ORDER BY begun_at)sql"};

constexpr pg::Statement kFind = {"letta_find_call", R"sql(
  SELECT result, is_error FROM letta_tool_calls WHERE task_id = $1::uuid AND call_id = $2::text)sql"};

constexpr pg::Statement kEnd = {"letta_end_call", R"sql(
  UPDATE letta_tool_calls
  SET result = $3::text, is_error = $4::boolean, ended_at = clock_timestamp()
  WHERE task_id = $1::uuid AND call_id = $2::text)sql"};

std::optional<JournalEntry> EntryIn(const pg::Result& rows) {
  if (rows.rows() == 0) return std::nullopt;
  JournalEntry entry;
  if (!rows.IsNull(0, 0)) {
    entry.result = ToolResult{.text = std::string(rows.Bytes(0, 0)), .is_error = rows.Bool(0, 1)};
  }
  return entry;
}

}  // namespace

absl::StatusOr<JournalEntry> BeginCall(pg::Connection& connection, const Lease& lease,
                                       const ToolCall& call, std::int64_t checkpoint,
                                       bool idempotent) {
  if (absl::Status status = CheckLease(connection, lease); !status.ok()) return status;
  pg::Params named;
  named.Id(lease.task_id).Text(call.call_id);
  const auto known = connection.Query(kFind, named);
  if (!known.ok()) return known.status();
  if (const auto entry = EntryIn(*known)) return *entry;

  pg::Params params;
  params.Id(lease.task_id)
      .Text(call.call_id)
      .Int8(lease.epoch)
      .Int8(checkpoint)
      .Text(call.name)
      .Text(call.arguments);
  if (!idempotent) {
    const auto lost = connection.Query(kFindLost, params);
    if (!lost.ok()) return lost.status();
    if (const auto entry = EntryIn(*lost)) return *entry;
  }
  if (const auto begun = connection.Query(kBegin, params); !begun.ok()) return begun.status();
  return JournalEntry{.is_new = true};
}

absl::Status EndCall(pg::Connection& connection, const Lease& lease, const ToolCall& call,
                     const ToolResult& result) {
  if (absl::Status status = CheckLease(connection, lease); !status.ok()) return status;
  pg::Params params;
  params.Id(lease.task_id).Text(call.call_id).Text(result.text).Bool(result.is_error);
  return connection.Query(kEnd, params).status();
}

absl::StatusOr<std::vector<LostCall>> LoseCalls(pg::Connection& connection, const Uuid& task_id,
                                                std::int64_t checkpoint) {
  pg::Params params;
  params.Id(task_id).Int8(checkpoint);
  if (const auto marked = connection.Query(kLose, params); !marked.ok()) return marked.status();
  pg::Params named;
  named.Id(task_id);
  const auto rows = connection.Query(kLost, named);
  if (!rows.ok()) return rows.status();
  std::vector<LostCall> calls;
  for (int row = 0; row < rows->rows(); ++row) {
    LostCall call{.tool = std::string(rows->Bytes(row, 0)),
                  .arguments = std::string(rows->Bytes(row, 1))};
    if (!rows->IsNull(row, 2)) call.result = std::string(rows->Bytes(row, 2));
    calls.push_back(std::move(call));
  }
  return calls;
}

}  // namespace god33::letta
