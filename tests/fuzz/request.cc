#include "transcode/request.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/error.h"
#include "fuzz/fuzz.h"
#include "fuzz/url.h"
#include "god33/store/v1/dead_letters.pb.h"
#include "god33/store/v1/event_store.pb.h"
#include "god33/store/v1/replay.pb.h"
#include "http/url.h"
#include "json/text.h"
#include "json/value.h"
#include "kinds.pb.h"
#include "services/event-store-api/causation_query.h"
#include "services/event-store-api/query.h"
#include "transcode/json_reader.h"
#include "transcode/json_writer.h"
#include "transcode/known_types.h"

// A request to the gateway: the routes of all services, and those of a message that has every kind of
// field. Input: "<verb> <path>?<query>" in one line, then the body.
//
// The route found is the one that a slow and simple matcher finds; its variables, put into the path again,
// lead there again. What was read is written as JSON, and as a query where it can be, and is read from
// there as the same message.

namespace god33::transcode {
namespace {

using fuzz::Check;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

const RouteTable& Routes() {
  static const RouteTable& table = *new RouteTable(*RouteTable::Compile({
      store::v1::ListEventsRequest::descriptor()->file()->service(0),
      store::v1::StartReplayRequest::descriptor()->file()->service(0),
      store::v1::ListDeadLettersRequest::descriptor()->file()->service(0),
      test::Kinds::descriptor()->file()->service(0),
  }));
  return table;
}

std::unique_ptr<Message> NewMessage(const Descriptor* type) {
  return std::unique_ptr<Message>(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
}

// The same for equal messages: maps have an order, and NaN is itself.
std::string Bytes(const Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

// ---- Routes

// Whether a path matches a shape, "/events/*/descendants" or "/events:verb", segment by segment. No route of
// ours has "**".
bool MatchesShape(std::string_view path, std::string_view shape) {
  if (path.substr(0, 1) == "/") path.remove_prefix(1);
  shape.remove_prefix(1);
  for (;;) {
    const bool last = shape.find('/') == std::string_view::npos;
    if (last != (path.find('/') == std::string_view::npos)) return false;
    std::string_view expected = fuzz::Take(shape, '/');
    std::string_view segment = fuzz::Take(path, '/');
    if (const std::size_t colon = expected.find(':'); colon != std::string_view::npos) {
      const std::string_view verb = expected.substr(colon);
      if (segment.size() < verb.size() || segment.substr(segment.size() - verb.size()) != verb) {
        return false;
      }
      segment.remove_suffix(verb.size());
      expected = expected.substr(0, colon);
    }
    if (segment.empty()) return false;
    if (expected != "*") {
      const auto decoded = http::PercentDecode(segment);
      if (!decoded.ok() || *decoded != expected) return false;
    }
    if (last) return true;
  }
}

// No two routes of the table match one path unless one is a literal where the other has '*': the
// route with fewer '*' is the one meant.
std::size_t Stars(const Route& route) {
  const std::string shape = route.path.Shape();
  return static_cast<std::size_t>(std::count(shape.begin(), shape.end(), '*'));
}

bool HasVerb(const Route& route) {
  return route.path.Shape().find(':') != std::string::npos;
}

void CheckFound(std::string_view verb, std::string_view path, const Match& match) {
  std::set<std::string> verbs;
  for (const Route& route : Routes().routes()) {
    if (!MatchesShape(path, route.path.Shape())) continue;
    verbs.insert(route.verb);
    if (route.verb == "GET") verbs.insert("HEAD");
    if (route.verb != verb && (route.verb != "GET" || verb != "HEAD")) continue;
    Check(match.route != nullptr, "a path that matches a route finds one", path);
    Check(HasVerb(*match.route) || !HasVerb(route), "a verb of the path wins", path);
    Check(HasVerb(*match.route) != HasVerb(route) || Stars(*match.route) <= Stars(route),
          "the most specific route wins", path);
  }
  if (match.route == nullptr) {
    Check(verbs.count(std::string(verb)) == 0, "no route without a match", path);
    Check(match.allow == absl::StrJoin(verbs, ", "), "the verbs of a path are those of its routes",
          match.allow);
  } else {
    Check(MatchesShape(path, match.route->path.Shape()), "the route found matches", path);
  }
}

// The path of the route with these variables.
std::string PathOf(const Match& match) {
  std::string path;
  std::size_t next = 0;
  for (const char c : match.route->path.Shape()) {
    if (c == '*') {
      path += fuzz::PercentEncode(match.variables[next++]);
    } else {
      path += c;
    }
  }
  return path;
}

void CheckVariables(std::string_view verb, std::string_view body, const Match& match) {
  const std::string path = PathOf(match);
  const auto again = Routes().Find(verb, path, body);
  Check(again.ok() && again->route == match.route && again->variables == match.variables,
        "a route's variables lead to it again", path);
}

// ---- Messages

void CheckField(const absl::Status& status) {
  Check(status.code() == absl::StatusCode::kInvalidArgument, "an error is INVALID_ARGUMENT");
  const std::string field = FieldOf(status);
  Check(!field.empty(), "an error names its field", MessageOf(status));
  Check(field.size() < 10'000 && MessageOf(status).size() < 12'000, "an error quotes little",
        field);
}

void CheckJson(const Message& message) {
  std::string json;
  JsonWriter(*message.GetDescriptor()).Append(json, message);
  const auto again = NewMessage(message.GetDescriptor());
  const absl::Status status = ReadJson(json, *again);
  Check(status.ok(), "what is written as JSON can be read", absl::StrCat(json, status.ToString()));
  Check(Bytes(*again) == Bytes(message), "what is written as JSON is read as the same message",
        json);
}

// The field's values as they stand in a query.
std::vector<std::string> TextsOf(const Message& message, const FieldDescriptor& field) {
  std::string json;
  JsonWriter(*message.GetDescriptor(), &field).Append(json, message);
  const auto value = json::Value::Parse(json);
  Check(value.ok(), "a field is written as JSON", json);
  std::vector<std::string> texts;
  const auto add = [&texts](const json::Value& one) {
    texts.push_back(one.is_string() ? one.ToString() : std::string(one.text()));
  };
  if (!field.is_repeated()) {
    add(*value);
  } else {
    for (const json::Value element : value->elements()) add(element);
  }
  return texts;
}

// False for a message that has what no query can say.
bool AppendQuery(const Message& message, const std::string& prefix, http::Parameters& query) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  if (fields.empty() && !prefix.empty()) return false;
  for (const FieldDescriptor* field : fields) {
    const std::string name = prefix + field->name();
    if (field->is_map()) return false;
    if (IsSingleValue(*field)) {
      for (std::string& text : TextsOf(message, *field)) query.emplace_back(name, std::move(text));
    } else if (field->is_repeated() || KnownType(*field->message_type()) != Known::kNone ||
               !AppendQuery(message.GetReflection()->GetMessage(message, field), name + ".",
                            query)) {
      return false;
    }
  }
  return true;
}

void CheckQuery(const Message& message) {
  http::Parameters parameters;
  if (message.GetDescriptor() != test::Kinds::descriptor() ||
      !AppendQuery(message, "", parameters)) {
    return;
  }
  std::string text;
  for (const auto& [name, value] : parameters) {
    absl::StrAppend(&text, text.empty() ? "" : "&", fuzz::PercentEncode(name), "=",
                    fuzz::PercentEncode(value));
  }
  const auto query = http::ParseQuery(text);
  Check(query.ok() && *query == parameters, "a query's parameters are read", text);
  const auto again = NewMessage(message.GetDescriptor());
  const absl::Status status = ReadRequest(*Routes().Find("GET", "/kinds"), *query, "", *again);
  Check(status.ok(), "what is written as a query can be read",
        absl::StrCat(text, "\n", status.ToString()));
  Check(Bytes(*again) == Bytes(message), "what is written as a query is read as the same message",
        text);
}

template <typename Request>
void CheckMeaning(const Message& message) {
  const auto* request = google::protobuf::DynamicCastToGenerated<Request>(&message);
  if (request == nullptr) return;
  const auto query = api::ReadQuery(*request);
  if (!query.ok()) CheckField(query.status());
}

void Run(std::string_view line, std::string_view body) {
  const std::string_view verb = fuzz::Take(line, ' ');
  const std::string_view path = fuzz::Take(line, '?');
  const auto match = Routes().Find(verb, path, body);
  if (!match.ok()) return CheckField(match.status());
  CheckFound(verb, path, *match);
  if (match->route == nullptr) return;
  CheckVariables(verb, body, *match);
  const auto query = http::ParseQuery(line);
  if (!query.ok()) return;
  const auto message = NewMessage(match->route->method->input_type());
  const absl::Status status = ReadRequest(*match, *query, body, *message);
  if (!status.ok()) return CheckField(status);
  CheckJson(*message);
  CheckQuery(*message);
  CheckMeaning<store::v1::ListEventsRequest>(*message);
  CheckMeaning<store::v1::GetDescendantsRequest>(*message);
  CheckMeaning<store::v1::GetAncestorsRequest>(*message);
}

}  // namespace
}  // namespace god33::transcode

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = god33::fuzz::Text(data, size);
  const std::string_view line = god33::fuzz::Take(input, '\n');
  god33::transcode::Run(line, input);
  return 0;
}
