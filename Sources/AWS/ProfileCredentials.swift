/// Keys of a profile of the shared files: its own, or those of roles that other profiles may play.
struct ProfileCredentials {
    /// Longest chain of roles.
    private static let maximumChain = 8

    let configuration: SharedConfiguration
    let local: LocalCredentials
    let environmentKeys: Credentials?
    /// Made when a role needs it: its address may be missing.
    let tokenService: () throws(CredentialsError) -> SecurityTokenService

    /// - Returns: `nil` if there is no such profile or it has nothing to do with credentials.
    /// - Throws: ``CredentialsError`` if it has, but they cannot be had here.
    func credentials(of name: String) throws(CredentialsError) -> Credentials? {
        try credentials(of: name, seen: [])
    }

    private func credentials(of name: String, seen: [String]) throws(CredentialsError) -> Credentials? {
        guard let profile = configuration.profiles[name] else { return nil }
        let place = "profile \"\(shown(name.utf8))\" in \(profile.places.joined(separator: " and "))"
        guard seen.count < Self.maximumChain else {
            throw CredentialsError("The \(place) needs more than \(Self.maximumChain) roles one after the other.")
        }
        // A profile may name itself as the source of a role: then its own keys are meant.
        if let arn = profile["role_arn"], seen.last != name {
            guard !seen.contains(name) else {
                throw CredentialsError(
                    "The \(place) leads back to itself: \(shown(seen.joined(separator: ", ").utf8)).")
            }
            return try assumed(arn, profile, place, name, seen)
        }
        if let id = profile["aws_access_key_id"], let secret = profile["aws_secret_access_key"] {
            return Credentials(
                accessKeyID: id, secretAccessKey: secret, sessionToken: profile["aws_session_token"], source: place)
        }
        if profile["aws_access_key_id"] != nil || profile["aws_secret_access_key"] != nil {
            throw CredentialsError("The \(place) has only one of aws_access_key_id and aws_secret_access_key.")
        }
        if profile["sso_session"] != nil || profile["sso_start_url"] != nil {
            throw CredentialsError(
                "The \(place) signs in by IAM Identity Center, which is not done here. Export its keys: "
                    + "eval \"$(aws configure export-credentials --profile \(shown(name.utf8)) --format env)\".")
        }
        if profile["credential_process"] != nil {
            throw CredentialsError(
                "The \(place) gets keys from a program (credential_process), which is not run here. Export its keys: "
                    + "eval \"$(aws configure export-credentials --profile \(shown(name.utf8)) --format env)\".")
        }
        return nil
    }

    private func assumed(
        _ arn: String, _ profile: SharedConfiguration.Profile, _ place: String, _ name: String, _ seen: [String]
    ) throws(CredentialsError) -> Credentials {
        if profile["mfa_serial"] != nil {
            throw CredentialsError(
                "The \(place) wants a code of a second factor (mfa_serial), which cannot be asked for in a long run. "
                    + "Export temporary keys instead: aws sts assume-role --serial-number … --token-code ….")
        }
        let role = SecurityTokenService.Role(
            arn: arn, sessionName: profile["role_session_name"], externalID: profile["external_id"],
            duration: profile["duration_seconds"])
        if let path = profile["web_identity_token_file"] {
            return try tokenService().assume(role, withTokenIn: path)
        }
        let base: Credentials
        if let source = profile["source_profile"] {
            guard let found = try credentials(of: source, seen: seen + [name]) else {
                throw CredentialsError("The \(place) names source_profile \(shown(source.utf8)), which has no keys.")
            }
            base = found
        } else {
            base = try credentials(fromSource: profile["credential_source"], place)
        }
        return try tokenService().assume(role, with: base)
    }

    private func credentials(fromSource name: String?, _ place: String) throws(CredentialsError) -> Credentials {
        switch name {
        case "Environment":
            guard let environmentKeys else {
                throw CredentialsError("The \(place) wants keys of the environment, and there are none.")
            }
            return environmentKeys
        case "Ec2InstanceMetadata": return try local.metadataCredentials()
        case "EcsContainer":
            guard local.hasContainer else {
                throw CredentialsError("The \(place) wants container credentials, and there is no container's agent.")
            }
            return try local.containerCredentials()
        case nil: throw CredentialsError("The \(place) has a role_arn, but no source_profile or credential_source.")
        case let other?:
            throw CredentialsError("The \(place) has an unknown credential_source \(shown(other.utf8)).")
        }
    }
}
