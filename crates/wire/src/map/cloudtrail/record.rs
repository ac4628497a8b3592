//! The attributes of a CloudTrail record, by their place in the event.

use super::super::{Text, take_text};
use super::identity::Identity;
use record::json::{Object, Value};

/// What a record says, before it is put where OCSF wants it.
#[derive(Default)]
pub(super) struct Record<'a> {
    pub(super) event_time: Text<'a>,
    pub(super) event_source: Text<'a>,
    pub(super) event_name: Text<'a>,
    pub(super) event_version: Text<'a>,
    pub(super) event_id: Text<'a>,
    pub(super) event_type: Text<'a>,
    pub(super) event_category: Text<'a>,
    pub(super) region: Text<'a>,
    pub(super) source: Text<'a>,
    pub(super) user_agent: Text<'a>,
    pub(super) error_code: Text<'a>,
    pub(super) error_message: Text<'a>,
    pub(super) request_id: Text<'a>,
    pub(super) recipient: Text<'a>,
    pub(super) api_version: Text<'a>,
    pub(super) vpc_endpoint: Text<'a>,
    pub(super) request: Option<Value<'a>>,
    pub(super) response: Option<Value<'a>>,
    pub(super) resources: Option<Vec<Value<'a>>>,
    pub(super) identity: Identity<'a>,
    pub(super) unmapped: Object<'a>,
}

impl<'a> Record<'a> {
    pub(super) fn read(object: Object<'a>) -> Record<'a> {
        let mut record = Record::default();
        for (key, value) in object {
            let slot = match &*key {
                "eventVersion" => &mut record.event_version,
                "eventTime" => &mut record.event_time,
                "eventSource" => &mut record.event_source,
                "eventName" => &mut record.event_name,
                "awsRegion" => &mut record.region,
                "sourceIPAddress" => &mut record.source,
                "userAgent" => &mut record.user_agent,
                "errorCode" => &mut record.error_code,
                "errorMessage" => &mut record.error_message,
                "requestID" => &mut record.request_id,
                "eventID" => &mut record.event_id,
                "eventType" => &mut record.event_type,
                "eventCategory" => &mut record.event_category,
                "recipientAccountId" => &mut record.recipient,
                "apiVersion" => &mut record.api_version,
                "vpcEndpointId" => &mut record.vpc_endpoint,
                "requestParameters" => {
                    record.request = (!value.is_null()).then_some(value);
                    continue;
                }
                "responseElements" => {
                    record.response = (!value.is_null()).then_some(value);
                    continue;
                }
                "userIdentity" => {
                    record.identity = Identity::read(value, &mut record.unmapped);
                    continue;
                }
                "resources" => {
                    match value {
                        Value::Array(resources) => record.resources = Some(resources),
                        Value::Null => {}
                        other => record.unmapped.push(key, other),
                    }
                    continue;
                }
                _ => {
                    record.unmapped.push(key, value);
                    continue;
                }
            };
            take_text(slot, key, value, &mut record.unmapped);
        }
        record.fall_back_on_insight();
        record
    }

    /// An Insights record names the call it is about only in its details.
    fn fall_back_on_insight(&mut self) {
        let Some(Value::Object(details)) = self.unmapped.get_mut("insightDetails") else { return };
        let mut take = |slot: &mut Text<'a>, key| {
            if slot.is_none()
                && let Some(Value::String(_)) = details.get(key)
                && let Some(Value::String(text)) = details.remove(key)
            {
                *slot = Some(text);
            }
        };
        take(&mut self.event_name, "eventName");
        take(&mut self.event_source, "eventSource");
    }
}
