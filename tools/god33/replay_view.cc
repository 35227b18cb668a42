#include "tools/god33/replay_view.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_join.h"
#include "base/strings.h"
#include "tools/god33/text.h"
#include "tools/god33/visible.h"

namespace god33::cli {
namespace {

using google::protobuf::Message;
using store::v1::Replay;

constexpr std::size_t kBar = 30;  // columns

std::string TotalOf(const Replay& replay) {
  return StrCat(replay.total_exact() ? "" : "at least ", replay.total());
}

std::string SpanOf(std::int64_t events, int rate) {
  return absl::FormatDuration(absl::Seconds(rate > 0 ? (events + rate - 1) / rate : 0));
}

// What was asked for, as the options that say it: "--workflow ...".
std::string FiltersOf(const Replay& replay) {
  std::vector<std::string> parts;
  if (replay.has_workflow_id()) parts.push_back(StrCat("--workflow ", replay.workflow_id()));
  if (replay.has_correlation_id()) {
    parts.push_back(StrCat("--correlation ", replay.correlation_id()));
  }
  for (const std::string& type : replay.event_types()) parts.push_back(StrCat("--type ", type));
  if (replay.has_start_time()) parts.push_back(StrCat("--since ", TextOf(replay.start_time())));
  if (replay.has_end_time()) parts.push_back(StrCat("--until ", TextOf(replay.end_time())));
  parts.push_back(StrCat("--from-position ", replay.from_position()));
  parts.push_back(StrCat("--to-position ", replay.to_position()));
  return absl::StrJoin(parts, " ");
}

Row ReplayRow(const Message& message) {
  const auto& replay = static_cast<const Replay&>(message);
  return {replay.replay_id(),
          TextOf(replay.created_at()),
          replay.state(),
          StrCat(replay.published()),
          StrCat(replay.total(), replay.total_exact() ? "" : "+"),
          replay.exchange(),
          replay.error().empty() ? FiltersOf(replay) : replay.error()};
}

}  // namespace

ListView ReplayView() {
  return {.columns = {{"REPLAY ID"},
                      {"CREATED"},
                      {"STATE"},
                      {"PUBLISHED", true},
                      {"OF", true},
                      {"EXCHANGE"},
                      {"FILTERS OR ERROR"}},
          .row = ReplayRow};
}

std::string ReplayDetails(const Replay& replay) {
  Details details;
  details.Add("replay_id", replay.replay_id());
  details.Add("state", replay.state());
  details.Add("error", replay.error());
  details.Add("filters", FiltersOf(replay));
  details.Add("exchange", replay.exchange());
  details.Add("rate", StrCat(replay.rate(), " a second"));
  details.Add("total", TotalOf(replay));
  details.Add("published", StrCat(replay.published()));
  details.Add("unroutable", StrCat(replay.unroutable()));
  details.Add("position", StrCat(replay.position()));
  details.Add("created_at", TextOf(replay.created_at()));
  details.Add("updated_at", TextOf(replay.updated_at()));
  return details.Render();
}

std::string ReplayForecast(const Replay& replay) {
  return StrCat(TotalOf(replay), " events would be published on ", replay.exchange(), "; at ",
                replay.rate(), " a second that takes ", SpanOf(replay.total(), replay.rate()));
}

std::string ReplayEnd(const Replay& replay) {
  std::string text = StrCat(replay.replay_id(), " ", replay.state(), ": ", replay.published(),
                            " of ", TotalOf(replay), " published on ", replay.exchange());
  if (replay.unroutable() > 0) StrAppend(&text, ", ", replay.unroutable(), " taken by no queue");
  return text;
}

double FractionOf(const Replay& replay) {
  const auto fraction = [](std::int64_t done, std::int64_t all) {
    return all <= 0 ? 1.0
                    : std::clamp(static_cast<double>(done) / static_cast<double>(all), 0.0, 1.0);
  };
  if (replay.total_exact()) return fraction(replay.published(), replay.total());
  return fraction(replay.position() - replay.from_position() + 1,
                  replay.to_position() - replay.from_position() + 1);
}

std::string ReplayProgress(const Replay& replay, const Screen& screen) {
  const double fraction = FractionOf(replay);
  std::string text = StrCat(replay.published(), " of ", TotalOf(replay), " published (",
                            static_cast<int>(fraction * 100), "%)");
  const std::int64_t left = std::max<std::int64_t>(replay.total() - replay.published(), 0);
  if (!replay.error().empty()) {
    StrAppend(&text, ", waits: ", Visible(replay.error()));
  } else if (replay.total_exact()) {
    StrAppend(&text, ", ", SpanOf(left, replay.rate()), " left");
  }
  if (!screen.terminal) return text;
  const auto full = static_cast<std::size_t>(fraction * kBar);
  text = StrCat("[", std::string(full, '#'), std::string(kBar - full, '.'), "] ", text);
  return screen.width == 0 ? text : CutToWidth(text, screen.width);
}

}  // namespace god33::cli
