//! Which OCSF class and activity a CloudTrail event has, by its name. After the mapping examples of the OCSF project
//! (ocsf/examples, AWS CloudTrail): sign-in and assumed roles are Authentication, changes to IAM identities are
//! Account Change, all else is API Activity.

/// Class and activity; `activity_name` is None for activity 99, whose name is the event's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) class_uid: u32,
    pub(super) activity_id: u32,
    pub(super) activity_name: Option<&'static str>,
}

pub(super) const ACCOUNT_CHANGE: u32 = 3001;
pub(super) const AUTHENTICATION: u32 = 3002;
pub(super) const API_ACTIVITY: u32 = 6003;

const OTHER: (u32, Option<&str>) = (99, None);

/// Classifies the event `name` of `source`, such as `CreateUser` of `iam.amazonaws.com`.
pub(super) fn classify(source: &str, name: &str) -> Class {
    let (class_uid, (activity_id, activity_name)) = if let Some(activity) = authentication(name) {
        (AUTHENTICATION, activity)
    } else if source == "iam.amazonaws.com"
        && let Some(activity) = account_change(name)
    {
        (ACCOUNT_CHANGE, activity)
    } else {
        (API_ACTIVITY, api_activity(name))
    };
    Class { class_uid, activity_id, activity_name }
}

/// These names are used by sign-in, Identity Center and the token service only.
fn authentication(name: &str) -> Option<(u32, Option<&'static str>)> {
    Some(match name {
        "ConsoleLogin"
        | "UserAuthentication"
        | "ExternalIdPDirectoryLogin"
        | "AssumeRole"
        | "AssumeRoleWithSAML"
        | "AssumeRoleWithWebIdentity" => (1, Some("Logon")),
        "CheckMfa" | "CredentialChallenge" | "CredentialVerification" => OTHER,
        _ => return None,
    })
}

/// Calls of IAM that change who may sign in or what they may do. Calls that read, and those about policies that are
/// attached to nobody, are API Activity.
fn account_change(name: &str) -> Option<(u32, Option<&'static str>)> {
    Some(match name {
        "CreateUser"
        | "CreateRole"
        | "CreateGroup"
        | "CreateAccessKey"
        | "CreateLoginProfile"
        | "CreateServiceLinkedRole"
        | "CreateServiceSpecificCredential" => (1, Some("Create")),
        "ChangePassword" => (3, Some("Password Change")),
        "UpdateLoginProfile" => (4, Some("Password Reset")),
        "DeleteUser"
        | "DeleteRole"
        | "DeleteGroup"
        | "DeleteAccessKey"
        | "DeleteLoginProfile"
        | "DeleteServiceLinkedRole"
        | "DeleteServiceSpecificCredential" => (6, Some("Delete")),
        "AttachUserPolicy"
        | "AttachRolePolicy"
        | "AttachGroupPolicy"
        | "PutUserPolicy"
        | "PutRolePolicy"
        | "PutGroupPolicy"
        | "PutUserPermissionsBoundary"
        | "PutRolePermissionsBoundary" => (7, Some("Attach Policy")),
        "DetachUserPolicy"
        | "DetachRolePolicy"
        | "DetachGroupPolicy"
        | "DeleteUserPolicy"
        | "DeleteRolePolicy"
        | "DeleteGroupPolicy"
        | "DeleteUserPermissionsBoundary"
        | "DeleteRolePermissionsBoundary" => (8, Some("Detach Policy")),
        "EnableMFADevice" => (10, Some("MFA Factor Enable")),
        "DeactivateMFADevice" => (11, Some("MFA Factor Disable")),
        "UpdateUser"
        | "UpdateRole"
        | "UpdateGroup"
        | "UpdateAccessKey"
        | "UpdateAssumeRolePolicy"
        | "AddUserToGroup"
        | "RemoveUserFromGroup"
        | "AddRoleToInstanceProfile"
        | "RemoveRoleFromInstanceProfile"
        | "CreateVirtualMFADevice"
        | "DeleteVirtualMFADevice"
        | "ResyncMFADevice"
        | "UpdateAccountPasswordPolicy"
        | "DeleteAccountPasswordPolicy" => OTHER,
        _ => return None,
    })
}

/// By the verb that the name begins with.
fn api_activity(name: &str) -> (u32, Option<&'static str>) {
    let verb_end = name.bytes().skip(1).position(|byte| !byte.is_ascii_lowercase());
    match &name.as_bytes()[..verb_end.map_or(name.len(), |end| end + 1)] {
        b"Create" | b"Run" | b"Generate" => (1, Some("Create")),
        b"Get" | b"List" | b"Describe" | b"Search" | b"Lookup" => (2, Some("Read")),
        b"Update" | b"Put" | b"Modify" | b"Set" => (3, Some("Update")),
        b"Delete" | b"Terminate" => (4, Some("Delete")),
        _ => OTHER,
    }
}
