#include "services/letta-bridge/tool_journal.h"

namespace god33::letta {
namespace {

constexpr pg::Statement kBegin = {"letta_begin_call", R"sql(
  INSERT INTO letta_tool_calls (task_id, call_id, epoch, tool, arguments)
  VALUES ($1::uuid, $2::text, $3::bigint, $4::text, $5::json) ON CONFLICT DO NOTHING)sql"};

constexpr pg::Statement kFind = {"letta_find_call", R"sql(
  SELECT result, is_error FROM letta_tool_calls WHERE task_id = $1::uuid AND call_id = $2::text)sql"};

constexpr pg::Statement kEnd = {"letta_end_call", R"sql(
  UPDATE letta_tool_calls
  SET result = $3::text, is_error = $4::boolean, ended_at = clock_timestamp()
  WHERE task_id = $1::uuid AND call_id = $2::text)sql"};

}  // namespace

absl::StatusOr<JournalEntry> BeginCall(pg::Connection& connection, const Lease& lease,
                                       const ToolCall& call) {
  if (absl::Status status = CheckLease(connection, lease); !status.ok()) return status;
  pg::Params params;
  params.Id(lease.task_id)
      .Text(call.call_id)
      .Int8(lease.epoch)
      .Text(call.name)
      .Text(call.arguments);
  const auto begun = connection.Query(kBegin, params);
  if (!begun.ok()) return begun.status();
  if (begun->affected() == 1) return JournalEntry{.is_new = true};
  pg::Params named;
  named.Id(lease.task_id).Text(call.call_id);
  const auto found = connection.Query(kFind, named);
  if (!found.ok()) return found.status();
  JournalEntry entry;
  if (found->rows() == 1 && !found->IsNull(0, 0)) {
    entry.result =
        ToolResult{.text = std::string(found->Bytes(0, 0)), .is_error = found->Bool(0, 1)};
  }
  return entry;
}

absl::Status EndCall(pg::Connection& connection, const Lease& lease, const ToolCall& call,
                     const ToolResult& result) {
  if (absl::Status status = CheckLease(connection, lease); !status.ok()) return status;
  pg::Params params;
  params.Id(lease.task_id).Text(call.call_id).Text(result.text).Bool(result.is_error);
  return connection.Query(kEnd, params).status();
}

}  // namespace god33::letta
