# What /etc/router.json means: three programs, each prints lines of a configuration.
#   segments   "MAC ADDRESS/LENGTH" of the router on each client interface
#   nftables   the rule set
#   dnsmasq    the configuration file

# Numbers and addresses

def hex: ascii_downcase | explode
  | reduce .[] as $c (0; . * 16 + if $c >= 97 then $c - 87 else $c - 48 end);
def two_digits: "0123456789abcdef" as $digits
  | (. / 16 | floor) as $high | (. % 16) as $low
  | $digits[$high:$high + 1] + $digits[$low:$low + 1];
def octets: split(":") | map(hex);
def number: split(".") | map(tonumber) | reduce .[] as $octet (0; . * 256 + $octet);
def dotted: [16777216, 65536, 256, 1] as $weights | . as $n
  | [$weights[] | ($n / . | floor) % 256 | tostring] | join(".");
def size: pow(2; 32 - .) | round;
# Last 64 bits of an address made from a MAC (RFC 4291, appendix A).
def interface_id: octets
  | .[0] = (if (.[0] / 2 | floor) % 2 == 1 then .[0] - 2 else .[0] + 2 end)
  | [.[0:2], [.[2], 255], [254, .[3]], .[4:6]] | map(map(two_digits) | add) | join(":");

# Checks

def must(condition; $message): if condition then . else error($message) end;
def known_members($names; $where):
  (keys - $names) as $others
  | must($others == []; "\($where): unknown member \($others[0])");
def is_mac: type == "string" and test("^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$");
def is_address: type == "string" and test("^[0-9]{1,3}(\\.[0-9]{1,3}){3}$")
  and all(split(".")[] | tonumber; . < 256);
def is_name: type == "string" and test("^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$");
def list($member): (.[$member] // [])
  | must(type == "array"; "\($member) is a list");

# Segments, with the network as numbers

def segment_of($network; $mac):
  ($network | must(type == "string" and test("^[^/]+/[0-9]+$"); "network \(.): ADDRESS/LENGTH")
    | split("/")) as [$address, $length]
  | ($address | must(is_address; "network \($network): not an IPv4 address")) as $_
  | ($length | tonumber | must(. >= 8 and . <= 24; "network \($network): length 8 to 24")) as $bits
  | ($address | number) as $first
  | must($first % ($bits | size) == 0; "network \($network): bits beyond its length")
  | {mac: $mac, first: $first, bits: $bits, last: ($first + ($bits | size) - 1)};

def given_segments:
  list("segments") | map(
    must(type == "object"; "segments: a list of objects")
    | known_members(["mac", "network"]; "segments")
    | must(.mac == null or (.mac | is_mac); "segments: mac \(.mac)")
    | segment_of(.network // "10.64.0.0/16"; (.mac // "any" | ascii_downcase)));

# Up to four interfaces, which is what dhcpcd.conf knows.
def all_segments:
  given_segments as $given
  | must(($given | length) <= 4; "segments: at most 4")
  | [range(64; 68) | "10.\(.).0.0/16" | segment_of(.; "any")
     | select(. as $spare | all($given[]; .last < $spare.first or .first > $spare.last))]
    as $spare
  | ($given + $spare)[0:4];

# Clients, each with an address

def in_segment($segments): . as $n | any($segments[]; .first + 1 < $n and $n < .last);

def address_from_mac($segments): octets | $segments[0].first + .[4] * 256 + .[5];

def all_clients:
  all_segments as $segments
  | list("clients") | map(
    must(type == "object"; "clients: a list of objects")
    | known_members(["name", "mac", "address"]; "clients")
    | must(.name == null or (.name | is_name); "clients: name \(.name)")
    | (.name // .mac) as $name
    | must(.mac | is_mac; "client \($name): mac \(.mac)")
    | must(.address == null or (.address | is_address); "client \($name): address \(.address)")
    | .mac |= ascii_downcase
    | if .name then .name |= ascii_downcase else . end
    | .number = (if .address then .address | number else .mac | address_from_mac($segments) end)
    | must(.number | in_segment($segments); "client \($name): \(.number | dotted) is in no segment")
    | .address = (.number | dotted))
  | must((map(.address) | unique | length) == length; "clients: an address is there twice")
  | must((map(.mac) | unique | length) == length; "clients: a mac is there twice");

def client_named($clients; $where):
  ascii_downcase as $name | [$clients[] | select(.name == $name)]
  | must(length > 0; "\($where): no client is named \($name)") | .[];

def all_forwards:
  all_clients as $clients | list("forward") | map(. as $text
    | must(type == "string"; "forward: a list of texts")
    | (capture("^(?<protocol>tcp|udp)/(?<port>[0-9]{1,5}) *-> *(?<name>[A-Za-z0-9-]+):(?<to>[0-9]{1,5})$")
       // error("forward \($text): it is PROTOCOL/PORT -> CLIENT:PORT"))
    | must(all(.port, .to; tonumber | . > 0 and . < 65536); "forward \($text): port 1 to 65535")
    | .address = (.name | client_named($clients; "forward") | .address));

def all_pairs:
  all_clients as $clients | list("allow_between") | map(. as $text
    | must(type == "string"; "allow_between: a list of texts")
    | (capture("^(?<from>[A-Za-z0-9-]+) *-> *(?<to>[A-Za-z0-9-]+)$")
       // error("allow_between \($text): it is CLIENT -> CLIENT"))
    | {from: (.from | client_named($clients; "allow_between")),
       to: (.to | client_named($clients; "allow_between"))});

def checked:
  must(type == "object"; "it is an object")
  | known_members(["segments", "clients", "forward", "allow_between"]; "top");

def segments: checked | all_segments[]
  | "\(.mac) \(.first + 1 | dotted)/\(.bits)";

# nftables

def elements: if . == [] then "" else "elements = { \(join(", ")) }" end;

# Whose frame it is, its sender's MAC says. Before Linux 6.13 a rule cannot compare two fields of a
# frame; but it can look up two bytes in a set of all pairs of equal ones.
def byte_pairs($flip): [range(256) | "\(.) . \(if $flip == 0 then . elif (. / 2 | floor) % 2 == 1 then . - 2 else . + 2 end)"];
def drop_unless_equal($set; $byte; $place): "    @ll,\(48 + 8 * $byte),8 . @\($place),8 != @\($set) drop";
# The MAC at BASE,BIT is the sender's.
def same_mac($base; $bit): range(6) | drop_unless_equal("same"; .; "\($base),\($bit + 8 * .)");
# The last 64 bits of the address whose first bit is BASE,64 are made from the sender's MAC.
def made_from_mac($base): drop_unless_equal("flipped"; 0; "\($base),128"),
  (range(1; 3), range(3; 6) | drop_unless_equal("same"; .; "\($base),\(if . < 3 then 128 else 144 end + 8 * .)"));
def byte_sets:
  "  set same { typeof @ll,48,8 . @nh,0,8; elements = { \(byte_pairs(0) | join(", ")) } }";

# An address that neither the list nor a lease nor its form gives to a MAC is that of the first who
# uses it (RFC 6620), until it has not been used for a while: "bound" pairs MAC and address, "taken"
# has the address alone. A sender cannot take one after the other.
def first_come_sets($name; $key; $full):
  "  set bound\($name) { typeof \($full); size 65535; flags dynamic,timeout; timeout 10m; }",
  "  set taken\($name) { typeof \($key); size 65535; flags dynamic,timeout; timeout 10m; }";
def newcomer_chain:
  "  set newcomers { type ether_addr; size 65535; flags dynamic,timeout; timeout 10m; }",
  "  chain newcomer {",
  "    update @newcomers { ether saddr limit rate over 4/minute burst 16 packets } drop",
  "    ether saddr != @known limit rate over 4/second burst 300 packets drop",
  "  }";
def first_come($name; $key; $full):
  "    \($full) @bound\($name) update @bound\($name) { \($full) } update @taken\($name) { \($key) } return",
  "    \($key) @taken\($name) drop",
  "    jump newcomer",
  "    add @bound\($name) { \($full) } add @taken\($name) { \($key) } return",
  "    drop";

# Sets and chain that know whose an IPv4 address is, for a table of either family. on_lease fills
# "leased" and "leases". DHCP itself is heard from any address: who lost a race for one after the
# router's start gets its lease, and with it the address.
def owner4_sets($clients; $address):
  ($clients | map(.address) | elements) as $listed
  | ($clients | map("\(.mac) . \(.address)") | elements) as $bindings
  | "  set known { type ether_addr; \($clients | map(.mac) | elements) }",
    "  set listed { type ipv4_addr; \($listed) }",
    "  set bindings { type ether_addr . ipv4_addr; \($bindings) }",
    "  set leases { type ipv4_addr; }",
    "  set leased { type ether_addr . ipv4_addr; }",
    byte_sets,
    first_come_sets(4; $address; "ether saddr . \($address)"),
    newcomer_chain;
def owner4_chain($address; dhcp):
  "  chain owner4 {",
  "    ether saddr . \($address) @bindings return",
  "    \($address) @listed drop",
  dhcp,
  "    ether saddr . \($address) @leased return",
  "    \($address) @leases drop",
  first_come(4; $address; "ether saddr . \($address)"),
  "  }";

# Chains that know whose an IPv6 address is: a packet's source, or what a neighbour advertisement is about.
def owner6_sets:
  "  set flipped { typeof @ll,48,8 . @nh,0,8; elements = { \(byte_pairs(2) | join(", ")) } }",
  first_come_sets(6; "iif . @nh,64,128"; "iif . ether saddr . @nh,64,128");
def owner6_chain($name; $base):
  "  chain \($name)_from_mac {", made_from_mac($base), "  }",
  "  chain \($name) {",
  "    @\($base),152,16 0xfffe goto \($name)_from_mac",
  first_come(6; "iif . @\($base),64,128"; "iif . ether saddr . @\($base),64,128"),
  "  }";

# What a DHCP client says is of itself: its hardware address (RFC 2131, 2: type, length and chaddr, behind
# 9 and 36 bytes of UDP and BOOTP) is the sender's. Else one could give another's address back, or take
# all there are. A lease takes a message and lasts two minutes; dnsmasq gives a thousand. Those that are
# not listed cannot have them all.
def dhcp_chain:
  "  chain dhcp {",
  "    @th,72,16 != 0x0106 drop",
  same_mac("th"; 288),
  "    ether saddr != @known limit rate over 4/second burst 40 packets drop",
  "  }";

def source_chains:
  owner4_chain("ip saddr"; "    udp dport 67 return"),
  owner6_chain("owner6"; "nh"), owner6_chain("advertised"; "th"),
  dhcp_chain,
  "  chain sources {",
  "    type filter hook prerouting priority raw; policy accept",
  "    iifname != \"clients*\" accept",
  "    meta nfproto ipv4 udp dport 67 jump dhcp",
  "    ip saddr 0.0.0.0 udp dport 67 accept",
  "    icmpv6 type nd-neighbor-advert jump advertised",
  "    ip6 saddr :: accept",
  "    fib saddr . iif oif missing drop",
  "    meta nfproto vmap { ipv4 : jump owner4, ipv6 : jump owner6 }",
  "  }";

def pair_rules: all_pairs[]
  | "    ip saddr \(.from.address) ip daddr \(.to.address) accept",
    "    ip saddr \(.to.address) ip daddr \(.from.address) ct state established,related accept",
    "    ether saddr \(.from.mac) ip6 daddr & ::ffff:ffff:ffff:ffff == ::\(.to.mac | interface_id) accept",
    "    ether saddr \(.to.mac) ip6 daddr & ::ffff:ffff:ffff:ffff == ::\(.from.mac | interface_id) "
    + "ct state established,related accept";

def forward_rules: all_forwards[]
  | "    iifname != \"clients*\" fib daddr type local \(.protocol) dport \(.port) "
    + "dnat ip to \(.address):\(.to)";

# Pairs whose requests for each other's MAC the router answers with its own (RFC 3069).
def proxied: [all_pairs[] | "\(.from.address) . \(.to.address)", "\(.to.address) . \(.from.address)"];

def nftables: checked | all_clients as $clients | all_segments as $segments
  | ($segments | map(.first + 1 | dotted) | elements) as $own
  | ($segments | map("\(.first | dotted)/\(.bits)") | elements) as $networks
  | "table inet router {",
    owner4_sets($clients; "ip saddr"), owner6_sets,
    "  set networks { type ipv4_addr; flags interval; \($networks) }",
    "  set connections { type ether_addr; size 65535; flags dynamic; }",
    # The table of connections is for all: no client may fill it.
    "  chain share {",
    "    type filter hook prerouting priority mangle; policy accept",
    "    iifname \"clients*\" ct state new add @connections { ether saddr ct count over \($ENV.CLIENT_CONNECTIONS // "2048") } counter drop",
    "  }",
    source_chains,
    "  chain inbound {",
    "    type nat hook prerouting priority dstnat; policy accept",
    forward_rules,
    "  }",
    # What leaves by a card from a prefix that was delegated to it is accepted here: delegate.
    "  chain delegated { }",
    "  chain outbound {",
    "    type nat hook postrouting priority srcnat; policy accept",
    "    oifname != \"clients*\" ip saddr @networks masquerade",
    "    oifname != \"clients*\" iifname \"clients*\" meta nfproto ipv6 jump delegated",
    "    oifname != \"clients*\" iifname \"clients*\" meta nfproto ipv6 masquerade",
    "  }",
    "  chain between {",
    pair_rules,
    "    drop",
    "  }",
    "  chain forward {",
    "    type filter hook forward priority filter; policy drop",
    "    ct state invalid drop",
    "    iifname \"clients*\" oifname \"clients*\" jump between",
    "    ct state established,related accept",
    "    iifname \"clients*\" oifname { \"wan*\", \"wlan*\" } accept",
    "    iifname { \"wan*\", \"wlan*\" } oifname \"clients*\" ct status dnat accept",
    "  }",
    "  chain input {",
    "    type filter hook input priority filter; policy drop",
    "    iifname \"lo\" accept",
    "    ct state established,related accept",
    "    icmp type echo-request accept",
    "    icmpv6 type { echo-request, nd-neighbor-solicit, nd-neighbor-advert } accept",
    "    iifname \"clients*\" icmpv6 type nd-router-solicit accept",
    "    iifname \"clients*\" udp dport { 53, 67 } accept",
    "    iifname \"clients*\" tcp dport 53 accept",
    "    iifname { \"wan*\", \"wlan*\" } icmpv6 type nd-router-advert accept",
    "    iifname { \"wan*\", \"wlan*\" } udp dport { 68, 546 } accept",
    "  }",
    "  chain output {",
    "    type filter hook output priority filter; policy accept",
    "    icmpv6 type nd-redirect drop",
    "  }",
    "}",
    "table arp router {",
    owner4_sets($clients; "arp saddr ip"),
    "  set own { type ipv4_addr; \($own) }",
    "  set proxied { type ipv4_addr . ipv4_addr; \(proxied | elements) }",
    owner4_chain("arp saddr ip"; empty),
    "  chain input {",
    "    type filter hook input priority filter; policy accept",
    "    iifname != \"clients*\" accept",
    same_mac("nh"; 64),
    "    arp saddr ip != 0.0.0.0 jump owner4",
    "    arp operation request arp daddr ip != @own arp saddr ip . arp daddr ip != @proxied drop",
    "  }",
    "}";

# dnsmasq

# A client without a name gets none by announcing one, not even that of a client that has it.
def host: if .name then "dhcp-host=\(.mac),\(.address),\(.name)"
  else "dhcp-host=\(.mac),set:nameless,\(.address)" end;

def dnsmasq: checked | all_segments as $segments
  | "user=nobody", "group=nogroup", "bind-dynamic", "interface=clients*", "no-hosts",
    "domain=internal", "local=/internal/", "expand-hosts", "resolv-file=/etc/resolv.conf",
    "pid-file=", "dhcp-script=/usr/lib/guest/on_lease", "dhcp-authoritative", "dhcp-ignore-clid", "no-ping", "dhcp-leasefile=/run/dnsmasq.leases",
    "dhcp-ignore-names=tag:!known", "dhcp-ignore-names=tag:nameless", "enable-ra",
    "dhcp-range=::,constructor:clients*,ra-names,off-link,64,1h",
    ($segments[] | "dhcp-range=\(.first + 2 | dotted),\(.last - 1 | dotted),\(-(.bits | size) + 4294967296 | dotted),2m"),
    (all_clients[] | host),
    "host-record=router,router.internal,\($segments[0].first + 1 | dotted)";
