//! Facet table version 1: which attribute of an OCSF event belongs to which facet.
//!
//! A path names an attribute and all below it; the longest path that fits decides; elements of an array are placed as
//! if they stood in the place of the array. What no path fits goes into `content`, the facet that is erased first: an
//! attribute nobody thought of must not survive an erasure in a facet that is kept.

use super::Facet;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// The version that entries name in their commitment.
pub const TABLE_VERSION: u16 = 1;

/// Where attributes go. Order and grouping are for people; [`table_text`] is what is hashed.
const TABLE: &[(Place, &str)] = &[
    // Times, the clock, the sender's own numbering.
    (
        Place::In(Facet::When),
        "time time_dt start_time start_time_dt end_time end_time_dt duration timezone_offset \
         query_time query_time_dt response_time response_time_dt expiration_time expiration_time_dt \
         metadata.original_time metadata.logged_time metadata.logged_time_dt metadata.modified_time \
         metadata.modified_time_dt metadata.processed_time metadata.processed_time_dt metadata.transmit_time \
         metadata.transmit_time_dt metadata.total_queued_duration metadata.clock metadata.sequence",
    ),
    // Which kind of event, by whose mapping, and how it ended.
    (
        Place::In(Facet::When),
        "activity_id activity_name category_uid category_name class_uid class_name type_uid type_name \
         severity severity_id status status_id status_code action action_id disposition disposition_id is_alert \
         metadata.version metadata.profiles metadata.extension metadata.extensions metadata.product \
         metadata.mapping metadata.transformation_info_list metadata.uid metadata.original_event_uid \
         metadata.correlation_uid metadata.event_code metadata.type metadata.log_name metadata.log_provider \
         metadata.log_version metadata.log_format metadata.log_level metadata.is_truncated \
         metadata.untruncated_size",
    ),
    // Who acted, and who was acted upon if that is a person.
    (
        Place::In(Facet::Who),
        "actor user user_result users updated_user assignee session from to ai_agent ai_model api.token \
         entity.user entity.email entity_result.user entity_result.email \
         process.user process.session source_process.user source_process.session \
         resource.owner resources.owner databucket.owner file.owner file.creator file.modifier file.accessor \
         file_result.owner file_result.creator file_result.modifier file_result.accessor \
         device.owner src_endpoint.owner dst_endpoint.owner job.user",
    ),
    // How surely it was them.
    (
        Place::In(Facet::Who),
        "auth_protocol auth_protocol_id auth_type auth_type_id auth_factors authentication_token is_mfa \
         is_new_logon is_remote is_cleartext is_renewal logon_type logon_type_id logon_process \
         account_switch_type account_switch_type_id certificate programmatic_credentials",
    ),
    // The operation and how it was answered.
    (
        Place::In(Facet::What),
        "api.operation api.service api.version api.group api.request.uid api.request.flags \
         api.request.containers api.response.code api.response.error api.response.flags \
         api.response.containers command_uid exit_code opcode opcode_id rcode rcode_id injection_type \
         injection_type_id launch_type launch_type_id open_type attempt \
         query.hostname query.type query.class query.opcode query.opcode_id query.packet_uid \
         query_info.name query_info.uid query_info.uid_numeric query_info.bytes query_info.query_time \
         query_info.query_time_dt \
         http_request.http_method http_request.length http_request.body_length http_request.uid \
         http_request.version http_request.url.scheme http_request.url.hostname http_request.url.domain \
         http_request.url.subdomain http_request.url.port http_request.url.path http_request.url.resource_type \
         http_response.code http_response.status http_response.length http_response.body_length \
         http_response.latency http_response.content_type http_status",
    ),
    // What it was done to.
    (
        Place::In(Facet::What),
        "resource resources database databucket table file file_result app app_name web_resources \
         web_resources_result updated_web_resources entity entity_result updated_entity job updated_job \
         script kernel module driver service group subgroup groups updated_group iam_role iam_roles \
         updated_role process source_process share share_type share_type_id name \
         email_uid message_trace_uid transaction_uid transaction_id connection_uid log_type log_type_id \
         metadata.tenant_uid metadata.data_classification metadata.data_classifications \
         finding_info.uid finding_info.title finding_info.types finding_info.analytic",
    ),
    // What the policy said, and how much there was.
    (
        Place::In(Facet::What),
        "actor.authorizations authorizations policy policies firewall_rule privileges requested_permissions \
         actual_permissions access_mask access_list risk_level risk_level_id risk_score confidence \
         confidence_id confidence_score priority priority_id verdict verdict_id count total size traffic \
         cumulative_traffic proxy_traffic num_detections num_files num_folders num_network_items \
         num_processes num_registry_items num_resolutions num_skipped_items num_trusted_items",
    ),
    // Inside attributes placed above: statements, values and secrets.
    (
        Place::In(Facet::Content),
        "actor.process.cmd_line actor.process.environment_variables actor.process.parent_process \
         actor.process.ancestry process.cmd_line process.environment_variables process.parent_process \
         process.ancestry source_process.cmd_line source_process.environment_variables \
         source_process.parent_process source_process.ancestry logon_process.cmd_line \
         logon_process.environment_variables logon_process.parent_process logon_process.ancestry \
         resource.data resources.data databucket.data web_resources.data web_resources.url_string \
         web_resources_result.data web_resources_result.url_string updated_web_resources.data \
         updated_web_resources.url_string entity.data entity_result.data updated_entity.data \
         actor.authorizations.policy.data authorizations.policy.data policy.data policies.data \
         job.cmd_line script.script_content file.url file_result.url",
    ),
    // From where, to where, and on what.
    (
        Place::In(Facet::Where),
        "src_endpoint dst_endpoint proxy_endpoint proxy device cloud load_balancer network_observation_point \
         observation_point observation_point_id relay tunnel_interface tunnel_type tunnel_type_id \
         connection_info proxy_connection_info direction direction_id is_src_dst_assignment_known tls \
         proxy_tls ja4_fingerprint_list client_hassh server_hassh protocol_name protocol_ver \
         app_protocol_name port http_request.user_agent http_request.x_forwarded_for smtp_hello \
         peripheral_device keyboard_info remote_display \
         metadata.loggers metadata.reporter metadata.source metadata.log_source log_name log_provider",
    ),
    // Repeats others; derived again on reading. A hash of the raw bytes without salt would confirm guesses.
    (Place::Drop, "observables raw_data raw_data_hash"),
];

/// What the table says of one attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    In(Facet),
    Drop,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Place::In(facet) => facet.name(),
            Place::Drop => "dropped",
        }
    }
}

/// The table as published in `docs/vectors/record/facet-table-v1.txt`: a title, then `path facet` lines sorted by path;
/// `*` stands for every attribute that has no line, `dropped` for what is derived on reading.
pub fn table_text() -> String {
    let mut lines: Vec<String> = paths().map(|(path, place)| format!("{path} {}\n", place.name())).collect();
    lines.sort();
    format!("ledgerstone facet table {TABLE_VERSION}\n* content\n{}", lines.concat())
}

/// SHA-256 over [`table_text`]; the genesis record names it.
pub fn table_hash() -> [u8; 32] {
    static HASH: LazyLock<[u8; 32]> = LazyLock::new(|| Sha256::digest(table_text()).into());
    *HASH
}

/// The facet of the attribute at `path`, names from the top down without array indexes; None if it is dropped.
pub fn facet_of(path: &[&str]) -> Option<Facet> {
    match path.iter().fold(root(), |node, key| node.child(key)).place {
        Place::In(facet) => Some(facet),
        Place::Drop => None,
    }
}

fn paths() -> impl Iterator<Item = (&'static str, Place)> {
    TABLE.iter().flat_map(|&(place, paths)| paths.split_ascii_whitespace().map(move |path| (path, place)))
}

/// The table as a tree, one node for each path and each beginning of one.
pub(super) struct Node {
    /// Where a value goes that stands here and is not taken apart.
    pub(super) place: Place,
    /// Children in a hash table with linear probing: empty, or at least twice as long as there are children.
    children: Vec<Option<(&'static str, Node)>>,
    mixed: bool,
    /// What children without a node of their own get: the same place, nothing mixed.
    rest: Option<Box<Node>>,
}

/// The node of the event itself.
pub(super) fn root() -> &'static Node {
    static ROOT: LazyLock<Node> = LazyLock::new(|| {
        let places: Vec<_> = paths().map(|(path, place)| (path.split('.').collect(), place)).collect();
        Node::build(Place::In(Facet::Content), &places)
    });
    &ROOT
}

impl Node {
    /// The node below this one for `key`.
    #[inline]
    pub(super) fn child(&self, key: &str) -> &Node {
        let mask = self.children.len().wrapping_sub(1);
        let mut slot = hash(key);
        while let Some(Some((name, node))) = self.children.get(slot & mask) {
            if *name == key {
                return node;
            }
            slot += 1;
        }
        self.rest.as_deref().unwrap_or(self)
    }

    /// Whether anything below goes elsewhere than `place`.
    pub(super) fn is_mixed(&self) -> bool {
        self.mixed
    }

    /// Builds the node for a value that goes to `inherited` unless one of `places`, relative to it, says otherwise.
    fn build(inherited: Place, places: &[(Vec<&'static str>, Place)]) -> Node {
        let place = places.iter().find(|(path, _)| path.is_empty()).map_or(inherited, |&(_, place)| place);
        let mut names: Vec<&'static str> =
            places.iter().filter_map(|(path, _)| path.first().copied()).collect();
        names.sort_unstable();
        names.dedup();
        let mut children: Vec<_> = std::iter::repeat_with(|| None).take(table_len(names.len())).collect();
        let mut mixed = false;
        for name in names {
            let below = places.iter().filter(|(path, _)| path.first() == Some(&name));
            let below: Vec<_> = below.map(|(path, place)| (path[1..].to_vec(), *place)).collect();
            let child = Node::build(place, &below);
            mixed |= child.mixed || child.place != place;
            let mask = children.len() - 1;
            let mut slot = hash(name);
            while children[slot & mask].is_some() {
                slot += 1;
            }
            children[slot & mask] = Some((name, child));
        }
        let rest = mixed.then(|| Box::new(Node { place, children: Vec::new(), mixed: false, rest: None }));
        Node { place, children, mixed, rest }
    }
}

fn table_len(children: usize) -> usize {
    if children == 0 { 0 } else { (2 * children).next_power_of_two() }
}

/// Mixes length and the first and last eight bytes; the table is fixed, so nobody can choose keys to collide in it.
#[inline]
fn hash(key: &str) -> usize {
    let bytes = key.as_bytes();
    let ends = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) => u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(23),
        _ => bytes.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)),
    };
    ((ends ^ (bytes.len() as u64) << 56).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as usize
}
