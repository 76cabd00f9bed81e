#include "server/config_keys.hpp"

#include <fmt/format.h>

#include <cassert>

#include "server/config_groups.hpp"
#include "server/name_list.hpp"
#include "server/spelling.hpp"

namespace peal::server {

namespace {

void add_changes(std::span<const ConfigKey> keys, const std::string& prefix, const Options& before,
                 const Options& after, std::vector<ConfigChange>& out) {
  for (const ConfigKey& key : keys) {
    const std::string path = prefix + std::string(usual_name(key));
    add_changes(key.keys, path + ".", before, after, out);
    if (key.shown == nullptr) continue;
    std::string old_text = key.shown(before);
    std::string new_text = key.shown(after);
    if (old_text == new_text) continue;
    if (key.secret) old_text = new_text = "(secret)";
    out.push_back({path, std::move(old_text), std::move(new_text), key.reload == Reload::live});
  }
}

std::string_view type_text(KeyType type) {
  switch (type) {
    case KeyType::text:
      return "text";
    case KeyType::boolean:
      return "true or false";
    case KeyType::number:
      return "number";
    case KeyType::bytes:
      return "bytes";
    case KeyType::duration:
      return "time";
    case KeyType::list:
      return "list";
    case KeyType::block:
      return "block";
    case KeyType::any:
      return "any";
  }
  __builtin_unreachable();
}

std::string_view status_text(KeyStatus status) {
  switch (status) {
    case KeyStatus::works:
      return "works";
    case KeyStatus::refused:
      return "refused";
    case KeyStatus::ignored:
      return "ignored, warning";
  }
  __builtin_unreachable();
}

std::string_view reload_text(const ConfigKey& key) {
  if (key.status != KeyStatus::works || key.type == KeyType::block) return "";
  return key.reload == Reload::live ? "live" : "restart";
}

std::string default_text(const ConfigKey& key) {
  if (key.shown == nullptr || key.secret) return "";
  const std::string text = key.shown(Options{});
  return text.empty() ? "" : fmt::format("`{}`", text);
}

constexpr std::string_view table_head =
    "| key | type | default | reload | status | |\n|---|---|---|---|---|---|\n";

void add_rows(std::span<const ConfigKey> keys, const std::string& prefix, std::string& out) {
  for (const ConfigKey& key : keys) {
    std::string names;
    each_name(key.names, [&](std::string_view name) {
      names += fmt::format("{}`{}{}`", names.empty() ? "" : ", ", prefix, name);
    });
    out += fmt::format("| {} | {} | {} | {} | {} | {} |\n", names, type_text(key.type),
                       default_text(key), reload_text(key), status_text(key.status), key.note);
    add_rows(key.keys, fmt::format("{}{}.", prefix, usual_name(key)), out);
  }
}

}  // namespace

std::span<const ConfigGroup> config_groups() {
  static const ConfigGroup groups[] = {
      {"Where to listen, and names", network_keys()},
      {"Limits", limit_keys()},
      {"Log", log_keys()},
      {"Monitoring", monitoring_keys()},
      {"Who may connect", security_keys()},
      {"Clusters", cluster_keys()},
      {"JetStream", jetstream_keys()},
      {"WebSocket", websocket_keys()},
      {"Other protocols", protocol_keys()},
  };
  return groups;
}

const ConfigKey* find_key(std::span<const ConfigKey> keys, std::string_view name) {
  const std::string wanted = folded_name(name);
  for (const ConfigKey& key : keys) {
    if (has_name(key.names, wanted)) return &key;
  }
  return nullptr;
}

const ConfigKey* find_top_key(std::string_view name) {
  for (const ConfigGroup& group : config_groups()) {
    if (const ConfigKey* key = find_key(group.keys, name)) return key;
  }
  return nullptr;
}

std::vector<std::string_view> names_of(std::span<const ConfigKey> keys) {
  std::vector<std::string_view> names;
  for (const ConfigKey& key : keys) {
    each_name(key.names, [&](std::string_view name) { names.push_back(name); });
  }
  return names;
}

std::vector<std::string_view> top_names() {
  std::vector<std::string_view> names;
  for (const ConfigGroup& group : config_groups()) {
    for (const std::string_view name : names_of(group.keys)) names.push_back(name);
  }
  return names;
}

std::string_view usual_name(const ConfigKey& key) {
  return key.names.substr(0, key.names.find(','));
}

std::vector<ConfigChange> changes_between(const Options& before, const Options& after) {
  std::vector<ConfigChange> changes;
  for (const ConfigGroup& group : config_groups()) {
    add_changes(group.keys, "", before, after, changes);
  }
  return changes;
}

std::string config_table() {
  std::string text;
  for (const ConfigGroup& group : config_groups()) {
    text += fmt::format("{}### {}\n\n{}", text.empty() ? "" : "\n", group.title, table_head);
    add_rows(group.keys, "", text);
  }
  return text;
}

std::string block_table(std::string_view name) {
  const ConfigKey* const block = find_top_key(name);
  assert(block != nullptr);
  std::string text(table_head);
  add_rows(block->keys, fmt::format("{}.", name), text);
  return text;
}

}  // namespace peal::server
