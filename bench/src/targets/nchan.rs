//! nginx with the nchan module, one worker.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use anyhow::Result;

use super::{Server, group_name, text};
use crate::link::Route;
use crate::process::{Lab, Process, free_address};
use crate::swarm::Step;
use crate::websocket::{self, TEXT};

struct Nchan {
    process: Process,
    address: SocketAddr,
}

pub(super) fn start(lab: &Lab) -> Result<Box<dyn Server>> {
    let address = free_address()?;
    let folder = lab.folder("nchan")?;
    let module = lab.peer("nginx/usr/lib/nginx/modules/ngx_nchan_module.so")?;
    let (module, at) = (module.display(), folder.display());
    let config = folder.join("nginx.conf");
    fs::write(
        &config,
        format!(
            "load_module {module};\ndaemon off;\nmaster_process off;\npid {at}/pid;\n\
             error_log stderr crit;\n\
             events {{ worker_connections 19500; }}\n\
             http {{\n\
             access_log off; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;\n\
             fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;\n\
             nchan_max_reserved_memory 256M;\n\
             server {{ listen {address} backlog=1024;\n\
             location ~ ^/sub/(.+)$ {{ nchan_subscriber websocket; nchan_channel_id $1;\n\
             nchan_subscriber_first_message newest; nchan_message_buffer_length 1000; }}\n\
             location ~ ^/pub/(.+)$ {{ nchan_publisher websocket; nchan_channel_id $1;\n\
             nchan_message_buffer_length 1000; }}\n}} }}\n"
        ),
    )?;
    let mut command = Command::new(lab.peer("nginx/usr/sbin/nginx")?);
    command.arg("-p").arg(&folder).arg("-c").arg(&config);
    // The module was built against libraries that lie beside it.
    command.env("LD_LIBRARY_PATH", lab.peer("nginx/usr/lib")?);
    let mut process = lab.start("nchan", &mut command)?;
    process.await_port(address)?;
    Ok(Box::new(Nchan { process, address }))
}

impl Nchan {
    fn connect(&self, path: &str) -> Vec<Step> {
        vec![
            Step::Send(websocket::handshake(&self.address.to_string(), path, None)),
            Step::Await(websocket::answered),
        ]
    }
}

impl Server for Nchan {
    fn pid(&self) -> u32 {
        self.process.pid()
    }

    fn route(&self) -> Route {
        Route::plain(self.address)
    }

    fn subscriber(&self, _: usize, group: usize) -> Vec<Step> {
        self.connect(&format!("/sub/{}", group_name(group)))
    }

    /// Publishes to the first group only: its address names the channel.
    fn publisher(&self) -> Vec<Step> {
        self.connect(&format!("/pub/{}", group_name(0)))
    }

    fn publish(&self, _: usize, payload: usize) -> Vec<u8> {
        websocket::client_frame(TEXT, text(payload).as_bytes())
    }

    fn unit(&self, payload: usize) -> u64 {
        websocket::frame_bytes(payload)
    }
}
