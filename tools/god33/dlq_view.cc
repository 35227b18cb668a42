#include "tools/god33/dlq_view.h"

#include "base/strings.h"
#include "json/text.h"
#include "tools/god33/text.h"

namespace god33::cli {
namespace {

using store::v1::DeadLetter;

constexpr std::size_t kMostShown = 4000;  // bytes of a body that is no JSON

Row DeadLetterRow(const google::protobuf::Message& message) {
  const auto& letter = static_cast<const DeadLetter&>(message);
  return {StrCat(letter.dead_letter_id()),
          TextOf(letter.recorded_at()),
          letter.state(),
          letter.reason(),
          letter.has_event_type() ? letter.event_type() : letter.routing_key(),
          StrCat(letter.body_size()),
          letter.detail()};
}

std::string BodyText(const DeadLetter& letter) {
  const std::string& body = letter.body();
  if (body.empty()) return letter.body_size() == 0 ? "" : "(not shown: too large)";
  if (json::ValidPrefix(body) != body.size()) return "(bytes: show --raw writes them)";
  return body.size() <= kMostShown
             ? body
             : StrCat(Clip(body, kMostShown), " ... (show --raw writes all of it)");
}

}  // namespace

ListView DeadLetterView() {
  return {.columns = {{"ID", true},
                      {"RECORDED"},
                      {"STATE"},
                      {"REASON"},
                      {"TYPE OR KEY"},
                      {"BYTES", true},
                      {"DETAIL"}},
          .row = DeadLetterRow};
}

std::string DeadLetterDetails(const DeadLetter& letter) {
  Details details;
  details.Add("dead_letter_id", StrCat(letter.dead_letter_id()));
  details.Add("recorded_at", TextOf(letter.recorded_at()));
  details.Add("state", letter.state());
  details.Add("reason", letter.reason());
  details.Add("detail", letter.detail());
  details.Add("event_id", letter.event_id());
  details.Add("event_type", letter.event_type());
  details.Add("exchange", letter.exchange());
  details.Add("routing_key", letter.routing_key());
  details.Add("attempts", StrCat(letter.attempts()));
  if (letter.times_sent_back() > 0) {
    details.Add("times_sent_back", StrCat(letter.times_sent_back()));
    details.Add("sent_back_at", TextOf(letter.sent_back_at()));
  }
  if (letter.has_dropped_at()) details.Add("dropped_at", TextOf(letter.dropped_at()));
  details.AddLines("properties", JsonLines(letter.properties().text()));
  details.Add("body_size", StrCat(letter.body_size()));
  if (letter.has_decoded()) {
    details.AddLines("body", JsonLines(letter.decoded().text()));
  } else {
    details.Add("body", BodyText(letter));
  }
  return details.Render();
}

}  // namespace god33::cli
