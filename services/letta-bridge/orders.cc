#include "services/letta-bridge/orders.h"

#include <array>
#include <string_view>
#include <utility>

#include "json/text.h"

namespace god33::letta {
namespace {

constexpr pg::Statement kAdd = {"letta_add_order", R"sql(
  INSERT INTO letta_orders (task_id, kind, reason, asked_by)
  VALUES ($1::uuid, $2::text, $3::text, $4::text) ON CONFLICT DO NOTHING)sql"};

constexpr pg::Statement kList = {"letta_list_orders", R"sql(
  SELECT task_id, kind, reason, asked_by FROM letta_orders ORDER BY asked_at LIMIT 200)sql"};

constexpr pg::Statement kClear = {"letta_clear_order", R"sql(
  DELETE FROM letta_orders WHERE task_id = $1::uuid AND kind = $2::text)sql"};

constexpr pg::Statement kIsOrdered = {"letta_is_ordered", R"sql(
  SELECT FROM letta_orders WHERE task_id = $1::uuid AND kind = $2::text)sql"};

constexpr pg::Statement kClearAll = {"letta_clear_orders",
                                     "DELETE FROM letta_orders WHERE task_id = $1::uuid"};

constexpr pg::Statement kNotify = {"letta_notify", "SELECT pg_notify('god33_letta', '')"};

constexpr std::array<std::pair<Order::Kind, std::string_view>, 4> kNames = {{
    {Order::Kind::kPause, "pause"},
    {Order::Kind::kResume, "resume"},
    {Order::Kind::kCancel, "cancel"},
    {Order::Kind::kCheckpoint, "checkpoint"},
}};

std::string_view NameOf(Order::Kind kind) {
  for (const auto& [value, name] : kNames) {
    if (value == kind) return name;
  }
  return {};
}

Order::Kind KindNamed(std::string_view name) {
  for (const auto& [value, known] : kNames) {
    if (known == name) return value;
  }
  return Order::Kind::kCheckpoint;  // the column's check lets no other in
}

}  // namespace

absl::Status AddOrder(pg::Connection& connection, const Order& order) {
  pg::Params params;
  params.Id(order.task_id)
      .Text(NameOf(order.kind))
      .Text(json::CleanText(order.reason))
      .Text(json::CleanText(order.asked_by));
  if (const auto added = connection.Query(kAdd, params); !added.ok()) return added.status();
  return NotifyBridges(connection);
}

absl::StatusOr<std::vector<Order>> ListOrders(pg::Connection& connection) {
  const auto rows = connection.Query(kList);
  if (!rows.ok()) return rows.status();
  std::vector<Order> orders;
  for (int row = 0; row < rows->rows(); ++row) {
    orders.push_back({.task_id = rows->Id(row, 0),
                      .kind = KindNamed(rows->Bytes(row, 1)),
                      .reason = std::string(rows->Bytes(row, 2)),
                      .asked_by = std::string(rows->Bytes(row, 3))});
  }
  return orders;
}

absl::Status ClearOrder(pg::Connection& connection, const Uuid& task_id, Order::Kind kind) {
  pg::Params params;
  params.Id(task_id).Text(NameOf(kind));
  return connection.Query(kClear, params).status();
}

absl::StatusOr<bool> IsOrdered(pg::Connection& connection, const Uuid& task_id, Order::Kind kind) {
  pg::Params params;
  params.Id(task_id).Text(NameOf(kind));
  const auto found = connection.Query(kIsOrdered, params);
  if (!found.ok()) return found.status();
  return found->rows() > 0;
}

absl::Status ClearOrders(pg::Connection& connection, const Uuid& task_id) {
  pg::Params params;
  params.Id(task_id);
  return connection.Query(kClearAll, params).status();
}

absl::Status NotifyBridges(pg::Connection& connection) {
  return connection.Query(kNotify).status();
}

}  // namespace god33::letta
