#include "eventlog/event_row.h"

#include "event/parts.h"

namespace god33::eventlog {

StoredEvent ReadEvent(const pg::Result& result, int row, int column) {
  StoredEvent event;
  event.envelope.id = result.Id(row, column);
  event.envelope.type = result.Bytes(row, column + 1);
  event.envelope.time = result.Time(row, column + 2);
  event.envelope.version = result.Bytes(row, column + 3);
  event.envelope.source = event::ReadSource(json::Value::Checked(result.Bytes(row, column + 4)));
  event.envelope.parents = result.Ids(row, column + 5);
  if (!result.IsNull(row, column + 6)) {
    event.envelope.agent_context =
        event::ReadContext(json::Value::Checked(result.Bytes(row, column + 6)));
  }
  event.envelope.payload = result.Bytes(row, column + 7);
  event.position = result.Int8(row, column + 8);
  event.recorded_at = result.Time(row, column + 9);
  for (const std::string_view error : result.Texts(row, column + 10)) {
    event.payload_errors.emplace_back(error);
  }
  return event;
}

}  // namespace god33::eventlog
