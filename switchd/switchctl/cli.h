// switchctl: talks to a running switchd. One row a command; the rows' functions are in
// port_commands.cc, mac_commands.cc, status_commands.cc and stats_command.cc.
//
// Exit status: 0 done, 1 the switch refused or cannot be reached, 2 the command line is wrong.
#pragma once

#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/invocation.h"

namespace switchctl {

struct CommandRow {
  std::string_view words;      // "port add"
  std::string_view arguments;  // for people
  std::string_view summary;
  void (*run)(Invocation& invocation);
};

std::span<const CommandRow> command_table();

int run(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& error);

void status(Invocation& invocation);
void log_level(Invocation& invocation);
void events(Invocation& invocation);
void stats(Invocation& invocation);

void port_list(Invocation& invocation);
void port_show(Invocation& invocation);
void port_add(Invocation& invocation);
void port_remove(Invocation& invocation);

void mac_list(Invocation& invocation);
void mac_add(Invocation& invocation);
void mac_remove(Invocation& invocation);
void mac_flush(Invocation& invocation);

}  // namespace switchctl
