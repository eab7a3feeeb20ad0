#!/bin/sh
# First program of the play host after switch_root: what an init would mount, the kernel's modules
# under their usual path, and the agent that runs the test's commands.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs run /run
chmod 1777 /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /run/lock /run/playhost

for option in $(cat /proc/cmdline); do
  case $option in
    playhost.modules=*) modules=${option#playhost.modules=} ;;
    playhost.agent=*) agent=${option#playhost.agent=} ;;
    playhost.systemd=1) systemd=1 ;;
  esac
done
mkdir -p /lib/modules
rm -rf "/lib/modules/$(uname -r)"
ln -s "$modules" "/lib/modules/$(uname -r)"
hostname playhost
ip link set lo up

if [ -n "$systemd" ]; then
  mkdir -p /etc/systemd/system/basic.target.wants
  cat > /etc/systemd/system/playhost-agent.service <<UNIT
[Unit]
Description=Commands of the test
[Service]
ExecStart=/usr/bin/python3 $agent
KillMode=process
LimitMEMLOCK=infinity
UNIT
  ln -sf ../playhost-agent.service /etc/systemd/system/basic.target.wants/
  umount /sys/fs/cgroup
  exec /lib/systemd/systemd
fi
# This shell stays process 1: it reaps what is orphaned. Its end is the end of the play host.
/usr/bin/python3 "$agent" &
wait
